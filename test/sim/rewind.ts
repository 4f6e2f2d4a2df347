import { unfinished } from '../checker/convergence';
import { Dice } from './dice';
import { drawFrom, perform } from './decisions';
import { AGENT_FAULTS } from './faults/agent-faults';
import { place, type Fault } from './faults/fault';
import { SERVER_FAULTS } from './faults/server-faults';
import { STORE_FAULTS } from './faults/store-faults';
import { USER_ACT } from './faults/user-acts';
import { World, type WorldOptions } from './world';

/** How the store goes back: to what it was some changes ago, or to nothing. */
export type Rewind = 'an old snapshot' | 'emptied';

/** What may happen while the cluster comes to terms with it: nothing that would end a task, or let a machine count as lost. */
const AFTERMATH: readonly Fault[] = [
  ...SERVER_FAULTS,
  ...STORE_FAULTS.filter(({ name }) => name === 'bad way to the store' || name === 'store restarted'),
  ...AGENT_FAULTS.filter(({ name }) => name === 'connection breaks' || name === 'agent dies at a point'),
];

/** Longer than every wait of a new leader for its agents. */
const SETTLE_MS = 120_000;
const CHANGES = 6;
const FAULTS = 6;

/**
 * A cluster at rest, a snapshot, some more changes, rest; then the store goes back. Whatever ran then goes on to run, no instance runs
 * twice, and what the records know of is as wanted in the end.
 */
export async function runRewound(seed: number, kind: Rewind, options: WorldOptions = {}): Promise<World> {
  const world = new World(seed, options);
  const dice = new Dice(seed * 31 + 7);
  await world.start();
  await change(world, dice);
  const snapshot = world.store.snapshot();
  await change(world, dice, 3);
  // Who restores a snapshot may stop all servers for it: then none of them sees it happen.
  const isCold = dice.hit(0.4);
  world.history.note(`the store goes back: ${kind}${isCold ? ', no server sees it' : ''}`);
  if (isCold) for (const server of world.servers) server.crash();
  await world.rewind(kind === 'emptied' ? { revision: 1, entries: [] } : snapshot);
  // The longer nobody leads, the longer the pauses of agents that look for a leader: some come much later than others.
  if (isCold) await world.pass(dice.one(1_000, 10_000, 40_000));
  for (const server of world.servers) server.start();
  await world.pass(dice.one(0, 1_000, 5_000));
  for (let fault = 0; fault < FAULTS && dice.hit(0.8); fault++) {
    perform(world, drawFrom(AFTERMATH, dice));
    await world.pass(dice.one(50, 1_000, 3_000));
  }
  world.calm();
  await world.pass(SETTLE_MS);
  judge(world);
  world.history.check();
  return world;
}

/** @param ends tasks that end and run again, maybe elsewhere */
async function change(world: World, dice: Dice, ends = 0): Promise<void> {
  for (let index = 0; index < CHANGES; index++) {
    perform(world, { waitMs: 0, what: USER_ACT.name, how: USER_ACT.draw(dice) });
    await world.pass(dice.one(50, 2_000, 8_000));
  }
  for (let index = 0; index < ends; index++) {
    const how = { agent: place(dice), container: place(dice), fate: 'exits', code: 1, forMs: 0 };
    perform(world, { waitMs: 0, what: 'container', how });
    await world.pass(2_000);
  }
  await world.converge();
}

function judge(world: World): void {
  const { history, agents, servers, truth, untouchable } = world;
  const running = new Set(agents.flatMap(({ host }) => host.running().map(({ id }) => id)));
  const gone = [...untouchable].filter((id) => !running.has(id));
  if (gone.length > 0) history.violate('what ran when the store went back goes on', `${gone.join(', ')} ended`);
  const records = servers[0]?.replica?.records;
  if (records === undefined) return history.violate('converged in the end', 'the first server is not up');
  const hosts = agents.map(({ host }) => host);
  const problems = unfinished(records, hosts, truth).filter((problem) => !isKept(problem));
  if (problems.length > 0) history.violate('converged in the end', problems.join('; '));
}

/** More than wanted, newer than the records, of an app that the records do not know: left alone until a user says more. */
function isKept(problem: string): boolean {
  const [, has, wanted] = /has (\d+) instances, wanted are (\d+)$/.exec(problem) ?? [];
  if (has !== undefined) return Number(has) > Number(wanted);
  return / is of no instance$|^status of | runs op .* not that of |, outdated$/.test(problem);
}
