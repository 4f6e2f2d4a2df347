import { webApp } from '../e2e/world';
import { waitFor } from '../support/wait';
import type { AgentHost } from '../testbed/agent-host';
import { oneWayCut, packetLoss } from '../testbed/faults/firewall';
import { cutLink, slowLink } from '../testbed/faults/link';
import type { Testbed } from '../testbed/testbed';
import { KEY_ROOT } from '../../src/core/records/paths';
import {
  PATIENCE_MS,
  agentState,
  hostsOf,
  metricOf,
  oneHolder,
  runningOf,
  settledAs,
  started,
  takesWork,
  untilAgent,
} from './cluster';
import { describeLong, testLong } from './suite';
import { onWatchedBed } from './watched-bed';

/** Three seconds: as long as a host needs to be back after a cut, on a busy machine. */
const SILENCE = ['--agent-ping-timeout=500ms', '--max-agent-ping-timeouts=6'];
const EVERYWHERE = { constraints: [['hostname', 'UNIQUE']] };
/** A replacement after a second of silence; after three the instance is forgotten. */
const IMPATIENT = { unreachableStrategy: { inactiveAfterSeconds: 1, expungeAfterSeconds: 3 } };
const PATIENT = { unreachableStrategy: { inactiveAfterSeconds: 300, expungeAfterSeconds: 600 } };

let bed: Testbed;
onWatchedBed(
  { agents: 5, servers: 2, etcd: 1, registry: false, serverFlags: [...SILENCE, '--agent-reregister-timeout=10s'] },
  (up) => (bed = up),
);

const start = (app: Record<string, unknown>) => started(bed, app);

/** A host on which the app runs, and its number. */
async function victimOf(appId: string): Promise<{ readonly host: AgentHost; readonly index: number }> {
  const [name] = await hostsOf(bed, appId);
  const index = bed.hosts.findIndex(({ node }) => node.name === name);
  const host = bed.hosts[index];
  if (host === undefined) throw new Error(`${appId} runs nowhere`);
  return { host, index };
}

async function agentIds(): Promise<string[]> {
  const { agents } = (await bed.marathon().ok('GET', '/v1/status')) as { agents: { id: string }[] };
  return agents.map(({ id }) => id).toSorted();
}

/** Containers of the app that the engine of this host runs, cut off or not. */
async function on(host: AgentHost, running: ReadonlyMap<string, string>): Promise<string[]> {
  const list = await host.containers();
  return list.filter(({ id, taskId, state }) => state === 'running' && running.get(taskId) === id).map(({ id }) => id);
}

/** What was on the host has been replaced elsewhere and is forgotten; the rest of `before` runs as it did. */
async function replaced(appId: string, before: ReadonlyMap<string, string>, lost: readonly string[]): Promise<void> {
  const client = bed.marathon();
  await waitFor(
    `${appId} to be replaced`,
    async () => {
      const { tasks, tasksRunning } = await client.app(appId);
      const fresh = tasks.filter(({ id }) => !before.has(id));
      return tasks.length === before.size && tasksRunning === before.size && fresh.length === lost.length;
    },
    PATIENCE_MS,
  );
  const running = await runningOf(bed, appId);
  const kept = [...before].filter(([, id]) => !lost.includes(id));
  expect(kept.filter(([taskId, id]) => running.get(taskId) !== id)).toEqual([]);
}

describe('a host is gone', () => {
  testLong('switched off: what ran there is replaced elsewhere, and nothing comes back with it', async () => {
    const before = await start(webApp('/web', { instances: 3, ...EVERYWHERE }));
    const { host, index } = await victimOf('/web');
    const lost = await on(host, before);
    const heal = cutLink(bed, host.node);
    await host.stop();
    await replaced('/web', before, lost);
    const after = await settledAs(bed, '/web', 3);

    await heal();
    await host.startEngine();
    host.agent.start();
    await untilAgent(bed, index, 'active');
    expect(await settledAs(bed, '/web', 3)).toEqual(after);
    await takesWork(bed, webApp('/all', { instances: 5, ...EVERYWHERE }));
    expect(await runningOf(bed, '/web')).toEqual(after);
  });

  test('cut off for longer than the strategy allows: replaced, and the surplus goes when it is back', async () => {
    const before = await start(webApp('/web', { instances: 3, ...EVERYWHERE, ...IMPATIENT }));
    const { host, index } = await victimOf('/web');
    const lost = await on(host, before);
    const heal = cutLink(bed, host.node);
    await replaced('/web', before, lost);
    // Nobody can reach it: it goes on.
    expect(await on(host, before)).toEqual(lost);
    const fresh = (await bed.marathon().app('/web')).tasks.map(({ id }) => id).toSorted();

    await heal();
    await untilAgent(bed, index, 'active');
    const after = await settledAs(bed, '/web', 3);
    expect([...after.keys()].toSorted()).toEqual(fresh);
    expect(await on(host, before)).toEqual([]);
  });
});

describeLong('a host is gone, and more', () => {
  test('switched off and on at once: its agent is the same, what ran there runs again', async () => {
    const before = await start(webApp('/web', { instances: 5, ...EVERYWHERE }));
    const { host } = await victimOf('/web');
    const lost = await on(host, before);
    const agents = await agentIds();
    await host.stop();
    await host.startEngine();
    host.agent.start();
    const after = await waitFor(
      'what ran there to run again',
      async () => {
        const running = await settledAs(bed, '/web', 5);
        return [...running.values()].every((id) => !lost.includes(id)) ? running : undefined;
      },
      PATIENCE_MS,
    );
    expect([...before].filter(([taskId, id]) => after.get(taskId) === id)).toHaveLength(4);
    expect(await agentIds()).toEqual(agents);
  });

  test('together with the leader: the next leader gives it its time, then replaces what ran there', async () => {
    const before = await start(webApp('/web', { instances: 3, ...EVERYWHERE }));
    const { host } = await victimOf('/web');
    const lost = await on(host, before);
    const leader = await oneHolder(bed);
    const heal = cutLink(bed, host.node);
    await leader.process.kill();
    await oneHolder(bed, leader);
    await replaced('/web', before, lost);
    await heal();
    leader.process.start();
    await bed.allActive();
    const after = await settledAs(bed, '/web', 3);
    expect([...after].filter(([taskId]) => before.has(taskId))).toHaveLength(2);
  });
});

describeLong('a host is silent for a while', () => {
  test('shorter than the strategy allows: nothing is replaced, and all is as it was', async () => {
    const before = await start(webApp('/web', { instances: 3, ...EVERYWHERE, ...PATIENT }));
    const { host, index } = await victimOf('/web');
    const heal = cutLink(bed, host.node);
    await untilAgent(bed, index, 'unreachable');
    await takesWork(bed, webApp('/meanwhile', { instances: 4, ...EVERYWHERE }));
    expect(await hostsOf(bed, '/meanwhile')).not.toContain(host.node.name);
    await heal();
    await untilAgent(bed, index, 'active');
    expect(await settledAs(bed, '/web', 3)).toEqual(before);
  });

  test('again and again: nothing is replaced', async () => {
    const before = await start(webApp('/web', { instances: 5, ...EVERYWHERE, ...PATIENT }));
    const { host, index } = await victimOf('/web');
    for (let turn = 0; turn < 4; turn++) {
      const heal = cutLink(bed, host.node);
      await untilAgent(bed, index, 'unreachable');
      await heal();
      await untilAgent(bed, index, 'active');
    }
    expect(await settledAs(bed, '/web', 5)).toEqual(before);
  });
});

describeLong('packets are lost in one direction only', () => {
  const WAYS = [
    { way: 'from the host to the leader', toServer: true, all: false },
    { way: 'from the leader to the host', toServer: false, all: false },
    { way: 'from the host to every server', toServer: true, all: true },
    { way: 'from every server to the host', toServer: false, all: true },
  ];
  test.each(WAYS)('$way: the host is given up, and its surplus goes afterwards', async ({ toServer, all }) => {
    const before = await start(webApp('/web', { instances: 3, ...EVERYWHERE, ...IMPATIENT }));
    const { host, index } = await victimOf('/web');
    const lost = await on(host, before);
    const servers = all ? bed.servers : [await oneHolder(bed)];
    const heals = servers.map(({ node }) => (toServer ? oneWayCut(host.node, node) : oneWayCut(node, host.node)));
    await replaced('/web', before, lost);
    for (const heal of heals) await heal();
    await untilAgent(bed, index, 'active');
    const after = await settledAs(bed, '/web', 3);
    expect([...after].filter(([taskId]) => before.has(taskId))).toHaveLength(2);
    await takesWork(bed, webApp('/all', { instances: 5, ...EVERYWHERE }));
    expect(await runningOf(bed, '/web')).toEqual(after);
  });
});

describeLong('most hosts are silent at once', () => {
  /** Three times what makes one host unreachable. */
  const LONG_SILENCE_MS = 9_000;

  test('nobody is replaced until enough answer again; then those that stay silent are', async () => {
    const before = await start(webApp('/web', { instances: 5, ...EVERYWHERE }));
    const heals = bed.hosts.slice(0, 3).map(({ node }) => cutLink(bed, node));
    const leader = await oneHolder(bed);
    const brake = () => metricOf(leader, bed.token, 'berth_agents_brake');
    await waitFor('the brake', async () => (await brake()) === 1, PATIENCE_MS);
    expect(leader.process.log()).toContain('agents are silent at once: none of them is declared unreachable');
    const told = await (
      await bed.etcdLeader()
    ).ctl('get', `${KEY_ROOT}events/default/master.master.toomanyagentssilent`);
    expect(told).toContain('3 of 5 agents are silent at once');
    const silentUntil = performance.now() + LONG_SILENCE_MS;
    await waitFor('a long silence', () => performance.now() > silentUntil, 2 * LONG_SILENCE_MS);
    expect(await Promise.all(bed.hosts.map((_, index) => agentState(bed, index)))).toEqual(Array(5).fill('active'));
    expect((await bed.marathon().tasks('/web')).map(({ id }) => id).toSorted()).toEqual([...before.keys()].toSorted());

    await heals[0]?.();
    await waitFor('the brake to let go', async () => (await brake()) === 0, PATIENCE_MS);
    await Promise.all([untilAgent(bed, 1, 'unreachable'), untilAgent(bed, 2, 'unreachable')]);
    expect(await agentState(bed, 0)).toBe('active');
    expect(await runningOf(bed, '/web')).toEqual(before);
  });

  test('healed while it brakes: nothing has changed', async () => {
    const before = await start(webApp('/web', { instances: 5, ...EVERYWHERE }));
    const heals = bed.hosts.slice(0, 3).map(({ node }) => cutLink(bed, node));
    const leader = await oneHolder(bed);
    const brake = () => metricOf(leader, bed.token, 'berth_agents_brake');
    await waitFor('the brake', async () => (await brake()) === 1, PATIENCE_MS);
    for (const heal of heals) await heal();
    await waitFor('the brake to let go', async () => (await brake()) === 0, PATIENCE_MS);
    await takesWork(bed, webApp('/all', { instances: 5, ...EVERYWHERE }));
    expect(await settledAs(bed, '/web', 5)).toEqual(before);
  });
});

describeLong('a bad line', () => {
  const LINES = [
    {
      line: 'a host loses 30 % of its packets',
      make: () => bed.hosts.slice(0, 1).map(({ node }) => packetLoss(node, 0.3)),
    },
    { line: 'a host has 64 kbit/s', make: () => bed.hosts.slice(0, 1).map(({ node }) => slowLink(node, '64kbit')) },
    {
      line: 'every server loses 30 % of its packets',
      make: () => bed.servers.map(({ node }) => packetLoss(node, 0.3)),
    },
  ];
  test.each(LINES)('$line: apps start and stop everywhere, and nothing else is touched', async ({ make }) => {
    const before = await start(webApp('/web', { instances: 5, ...EVERYWHERE, ...PATIENT }));
    const heals = make();
    const other = webApp('/other', { instances: 5, ...EVERYWHERE, ...PATIENT });
    await takesWork(bed, other);
    await waitFor(
      'the other app to be given up',
      async () =>
        bed
          .marathon()
          .ok('DELETE', '/v2/apps/other')
          .then(() => true),
      PATIENCE_MS,
    );
    await waitFor('the other app to be gone', async () => (await runningOf(bed, '/other')).size === 0, PATIENCE_MS);
    expect(await runningOf(bed, '/web')).toEqual(before);
    for (const heal of heals) await heal();
    expect(await settledAs(bed, '/web', 5)).toEqual(before);
  });
});
