import { waitFor } from '../support/wait';
import type { ServerNode } from '../testbed/server-node';
import { Testbed } from '../testbed/testbed';
import { PATIENCE_MS, agentState, cleanSlate, hostsOf, oneHolder, runningOf, settledAs, untilAgent } from './cluster';
import { crashed, restartArmed, type Armed } from './crash-point';
import { SMALL_BED, recordsEqualEngines, sleeper } from './docker-apps';
import { describeLong } from './suite';
import { Witness } from './witness';

/** An agent is lost after 10 s; these tests but one are about servers, and a busy machine must not lose agents. */
const SILENCE: readonly string[] = ['--agent-ping-timeout=1s', '--max-agent-ping-timeouts=10'];
/** An agent that is lost for a while costs nothing. */
const patient = { unreachableStrategy: { inactiveAfterSeconds: 300, expungeAfterSeconds: 600 } };

let bed: Testbed;
let witness: Witness;
/** Runs all the time; no crash may touch it. */
let steady: ReadonlyMap<string, string>;

beforeAll(async () => {
  bed = await Testbed.up({ ...SMALL_BED, servers: 2, registry: false, serverFlags: SILENCE });
  witness = await Witness.of(bed);
});
beforeEach(async () => {
  await bed.marathon().ok('POST', '/v2/apps', sleeper('/steady', { ...patient, instances: 2 }));
  steady = await settledAs(bed, '/steady', 2);
});
afterEach(async () => {
  for (const { process } of bed.servers) {
    process.extraEnv = {};
    process.start();
  }
  for (const { agent } of bed.hosts) agent.start();
  await cleanSlate(bed);
  witness.check();
});
afterAll(async () => {
  await witness.stop();
  await bed.down();
  expect(bed.leftovers()).toEqual([]);
});

interface Parts {
  /** Leads, and will die at its point if it has not done so at once. */
  readonly doomed: ServerNode;
  readonly survivor: ServerNode;
}

/** Hands leadership over to a server that will die at the point. */
async function leadDoomed(point: Armed): Promise<Parts> {
  const survivor = await oneHolder(bed);
  const doomed = bed.servers.find((server) => server !== survivor);
  if (doomed === undefined) throw new Error('there is no second server');
  await restartArmed(doomed.process, point);
  await doomed.ready(PATIENCE_MS);
  await survivor.process.stop();
  survivor.start();
  await survivor.ready(PATIENCE_MS);
  return { doomed, survivor };
}

/** The doomed server has died, the other one leads, and the dead one is back. */
async function succeeded({ doomed, survivor }: Parts): Promise<void> {
  await crashed(doomed.process);
  expect(await oneHolder(bed)).toBe(survivor);
  doomed.start();
  await doomed.ready(PATIENCE_MS);
}

/** Nothing else was touched, and records and engines are the same. */
async function nothingElse(): Promise<void> {
  expect(await settledAs(bed, '/steady', 2)).toEqual(steady);
  await recordsEqualEngines(bed);
}

async function diesWhileDeploying(point: Armed): Promise<void> {
  const parts = await leadDoomed(point);
  await parts.survivor.marathon.ok('POST', '/v2/apps', sleeper('/app', { ...patient, instances: 3 }));
  await succeeded(parts);
  const running = await settledAs(bed, '/app', 3);
  // No launch was lost and done again as another run.
  expect([...running.keys()].filter((id) => !id.endsWith('._app.1'))).toEqual([]);
  await nothingElse();
}

describe('a leader that dies between intent and launch', () => {
  test('master.task-written: its successor launches what is on record, once', () =>
    diesWhileDeploying('master.task-written'));
});

describeLong('a leader that dies while it deploys an app', () => {
  test.each<Armed>([
    'orchestrator.instances-written',
    'orchestrator.offer-matched',
    'master.offer-accepted',
    'master.task-sent',
    'master.update-written',
    'master.update-written:3',
    'orchestrator.step-done',
    'orchestrator.rollout-done',
  ])('at %s: each wanted instance runs once', diesWhileDeploying);
});

describeLong('a leader that dies while it replaces an app', () => {
  test.each<Armed>([
    'orchestrator.instances-written:2',
    'orchestrator.instances-written:4',
    'orchestrator.offer-matched:2',
    'master.kill-written:2',
    'orchestrator.step-done',
    'orchestrator.rollout-done',
  ])('at %s: the rollout ends with the new version alone', async (point) => {
    const upgradeStrategy = { minimumHealthCapacity: 0.5, maximumOverCapacity: 0 };
    await bed.marathon().ok('POST', '/v2/apps', sleeper('/app', { ...patient, instances: 3, upgradeStrategy }));
    const before = await settledAs(bed, '/app', 3);
    const parts = await leadDoomed(point);
    await parts.survivor.marathon.ok('PUT', '/v2/apps/app', { env: { RELEASE: 'two' } });
    await succeeded(parts);
    const after = await settledAs(bed, '/app', 3);
    expect([...after.keys()].filter((id) => before.has(id) || !id.endsWith('._app.1'))).toEqual([]);
    await nothingElse();
  });
});

describeLong('a leader that dies while it stops instances', () => {
  test.each<Armed>([
    'orchestrator.instances-written',
    'master.kill-written',
    'master.update-written',
    'orchestrator.end-recorded',
    'master.task-removed',
  ])('at %s: the surplus goes, the rest stays as it is', async (point) => {
    await bed.marathon().ok('POST', '/v2/apps', sleeper('/app', { ...patient, instances: 3 }));
    const before = await settledAs(bed, '/app', 3);
    const parts = await leadDoomed(point);
    await parts.survivor.marathon.ok('PUT', '/v2/apps/app', { instances: 1 });
    await succeeded(parts);
    const after = await settledAs(bed, '/app', 1);
    for (const [taskId, container] of after) expect(before.get(taskId)).toBe(container);
    expect((await bed.marathon().app('/app')).lastTaskFailure).toBeUndefined();
    await nothingElse();
  });
});

describeLong('a leader that dies before it has done anything', () => {
  test.each<Armed>(['master.term-begun', 'orchestrator.subscribed', 'master.agent-written', 'master.agent-written:2'])(
    'at %s: the next one leads, and takes work',
    async (point) => {
      await succeeded(await leadDoomed(point));
      await bed.marathon().ok('POST', '/v2/apps', sleeper('/app', { ...patient, instances: 2 }));
      await settledAs(bed, '/app', 2);
      await nothingElse();
    },
  );
});

describeLong('a leader that dies in the middle of handing over', () => {
  test('the other one leads when the lease has run out', async () => {
    const parts = await leadDoomed('orchestrator.hand-over');
    await oneHolder(bed, parts.survivor);
    await parts.survivor.marathon.ok('POST', '/v2/apps', sleeper('/app', { ...patient, instances: 3 }));
    await parts.doomed.process.kill('SIGTERM');
    await succeeded(parts);
    await settledAs(bed, '/app', 3);
    await nothingElse();
  });
});

describeLong('a leader that dies when it has put a lost agent on record', () => {
  test('its successor puts the tasks on record too, and they are themselves again when the agent is back', async () => {
    await bed.marathon().ok('POST', '/v2/apps', sleeper('/app', patient, 'a1'));
    const before = await settledAs(bed, '/app', 1);
    const parts = await leadDoomed('master.agent-lost');
    await bed.allActive();
    const [host] = bed.hosts;
    await host?.agent.kill();
    await succeeded(parts);
    expect(await agentState(bed, 0)).toBe('unreachable');
    await waitFor(
      'the task to be unreachable',
      async () => (await bed.marathon().app('/app')).tasks.every(({ state }) => state === 'TASK_UNREACHABLE'),
      PATIENCE_MS,
    );
    host?.agent.start();
    await untilAgent(bed, 0, 'active');
    expect(await settledAs(bed, '/app', 1)).toEqual(before);
    await nothingElse();
  });

  test('with a strategy that replaces at once: the successor replaces, the surplus is killed when the agent is back', async () => {
    await bed.marathon().ok('POST', '/v2/apps', sleeper('/app'));
    const before = await settledAs(bed, '/app', 1);
    const [name] = await hostsOf(bed, '/app');
    const parts = await leadDoomed('master.agent-lost');
    await bed.allActive();
    const host = bed.hosts.find(({ node }) => node.name === name);
    await host?.agent.kill();
    await succeeded(parts);
    await waitFor('a replacement', async () => (await runningOf(bed, '/app')).size === 2, PATIENCE_MS);
    host?.agent.start();
    await bed.allActive();
    const after = await settledAs(bed, '/app', 1);
    expect([...after.keys()].filter((id) => before.has(id))).toEqual([]);
    await nothingElse();
  });
});

describeLong('a server that dies when a change is written and its answer is not', () => {
  test.each(['leader', 'follower'] as const)('as the %s: the change holds', async (role) => {
    const holder = await oneHolder(bed);
    const follower = bed.servers.find((server) => server !== holder) ?? holder;
    const doomed = role === 'leader' ? (await leadDoomed('orchestrator.change-written')).doomed : follower;
    if (role === 'follower') {
      await restartArmed(doomed.process, 'orchestrator.change-written');
      await doomed.ready(PATIENCE_MS);
    }
    await expect(doomed.marathon.call('POST', '/v2/apps', sleeper('/app', patient))).rejects.toThrow('fetch failed');
    await crashed(doomed.process);
    await oneHolder(bed);
    await settledAs(bed, '/app', 1);
    await nothingElse();
  });
});
