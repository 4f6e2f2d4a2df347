import { cpSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { waitFor } from '../support/wait';
import { AgentHost } from '../testbed/agent-host';
import { Testbed } from '../testbed/testbed';
import { PATIENCE_MS, cleanSlate, hostsOf, runningOf, settledAs, untilAgent } from './cluster';
import { crashed, restartArmed, type Armed } from './crash-point';
import { SMALL_BED, failureOf, recordsEqualEngines, sleeper } from './docker-apps';
import { describeLong, testLong } from './suite';
import { Witness } from './witness';

/** An agent is lost after 10 s: longer than its restart takes on a busy machine, and short enough to be waited for. */
const SILENCE: readonly string[] = ['--agent-ping-timeout=1s', '--max-agent-ping-timeouts=10'];

let bed: Testbed;
let witness: Witness;
let first: AgentHost;
let second: AgentHost;
/** Ids of containers that tests before have left: what ended by itself is kept to be looked at. */
let kept: ReadonlySet<string>;

beforeAll(async () => {
  bed = await Testbed.up({ ...SMALL_BED, registry: false, serverFlags: SILENCE });
  [first, second] = bed.hosts as [AgentHost, AgentHost];
  witness = await Witness.of(bed);
});
beforeEach(async () => {
  kept = new Set((await first.containers()).map(({ id }) => id));
});
afterEach(async () => {
  for (const { agent } of bed.hosts) {
    agent.extraEnv = {};
    agent.start();
  }
  await cleanSlate(bed);
  witness.check();
});
afterAll(async () => {
  await witness.stop();
  await bed.down();
  expect(bed.leftovers()).toEqual([]);
});

/** An app that runs on the first host; the agent has no news of it left to tell. */
async function runsOnFirst(
  instances: number,
  overrides: Record<string, unknown> = {},
): Promise<ReadonlyMap<string, string>> {
  const unreachableStrategy = { inactiveAfterSeconds: 300, expungeAfterSeconds: 600 };
  await bed.marathon().ok('POST', '/v2/apps', sleeper('/app', { instances, unreachableStrategy, ...overrides }, 'a1'));
  const running = await settledAs(bed, '/app', instances);
  await waitFor('every update to be acknowledged', () => unacknowledged(first) === 0, PATIENCE_MS);
  return running;
}

/** Updates that the agent would send again after a restart, by its checkpoints. */
function unacknowledged({ workDir }: AgentHost): number {
  const folder = join(workDir, 'checkpoints');
  const files = readdirSync(folder).filter((name) => name.endsWith('.json'));
  const documents = files.map((file) => JSON.parse(readFileSync(join(folder, file), 'utf8')) as { text: string });
  const checkpoints = documents.map(({ text }) => JSON.parse(text) as { updates?: unknown[] });
  return checkpoints.reduce((sum, { updates = [] }) => sum + updates.length, 0);
}

/** Ids of all containers that the test has made on the first host and that are still there, in whatever state. */
async function made(): Promise<string[]> {
  return (await first.containers()).flatMap(({ id }) => (kept.has(id) ? [] : [id])).toSorted();
}

/** Waits until the agent, just started, has brought its tasks together with the master. */
async function registered(host: AgentHost): Promise<void> {
  await waitFor(
    `the agent of ${host.node.name} to be registered`,
    async () => {
      const answer = await fetch(`${host.agentUrl}/readyz`, { signal: AbortSignal.timeout(2_000) });
      const text = await answer.text();
      if (!answer.ok) throw new Error(text);
      return true;
    },
    PATIENCE_MS,
  ).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${host.agent.lastWords()}`, { cause: error });
  });
}

async function restarted(host: AgentHost): Promise<void> {
  host.agent.start();
  await registered(host);
}

/** What the agent's present process has said since its log had that length. */
function logSince(host: AgentHost, length: number): string {
  return host.agent.log().slice(length);
}

describe('an agent that dies', () => {
  test('leaves its tasks running, and finds the same containers when it is back', async () => {
    const before = await runsOnFirst(3);
    await first.agent.kill();
    expect(await runningOf(bed, '/app')).toEqual(before);
    await restarted(first);
    expect(await settledAs(bed, '/app', 3)).toEqual(before);
    await recordsEqualEngines(bed);
  });

  test('and whose task ends meanwhile reports that end when it is back; a new run starts', async () => {
    const before = await runsOnFirst(2);
    await first.agent.kill();
    const [[victim, container] = ['', ''], [other] = ['']] = [...before];
    witness.byHand(victim);
    await first.docker.getContainer(container).kill();
    await restarted(first);
    const failure = await failureOf(bed, '/app', /SIGKILL|137/);
    expect(failure).toMatchObject({ taskId: victim, state: 'TASK_FAILED' });
    const after = await settledAs(bed, '/app', 2);
    expect(after.get(other)).toBe(before.get(other));
    expect(after.has(victim)).toBe(false);
    await recordsEqualEngines(bed);
  });

  testLong('again and again loses nothing', async () => {
    const before = await runsOnFirst(3);
    for (let round = 0; round < 5; round++) {
      await first.agent.kill();
      await restarted(first);
    }
    expect(await settledAs(bed, '/app', 3)).toEqual(before);
  });
});

describeLong('an agent that dies while it starts a task', () => {
  const points: readonly Armed[] = [
    'agent.task-written:2',
    'agent.task-created:2',
    'agent.task-started:2',
    'agent.running-written:2',
    'agent.update-acknowledged:2',
  ];
  test.each(points)('at %s: the same launches come to their end, once each', async (point) => {
    await restartArmed(first.agent, point);
    await registered(first);
    await bed.marathon().ok('POST', '/v2/apps', sleeper('/app', { instances: 3 }, 'a1'));
    await crashed(first.agent);
    await restarted(first);
    const after = await settledAs(bed, '/app', 3);
    expect([...after.keys()].filter((id) => !id.endsWith('._app.1'))).toEqual([]);
    expect((await bed.marathon().app('/app')).lastTaskFailure).toBeUndefined();
    expect(await made()).toEqual([...after.values()].toSorted());
    await recordsEqualEngines(bed);
  });
});

describeLong('an agent that dies while it kills a task', () => {
  const points: readonly Armed[] = [
    'agent.kill-written',
    'agent.task-ended',
    'agent.container-removed',
    'agent.end-written',
    'agent.update-acknowledged',
  ];
  test.each(points)('at %s: the task is killed, the others stay as they are', async (point) => {
    const before = await runsOnFirst(3);
    await restartArmed(first.agent, point);
    await registered(first);
    await bed.marathon().ok('PUT', '/v2/apps/app', { instances: 2 });
    await crashed(first.agent);
    await restarted(first);
    const after = await settledAs(bed, '/app', 2);
    for (const [taskId, container] of after) expect(before.get(taskId)).toBe(container);
    expect((await bed.marathon().app('/app')).lastTaskFailure).toBeUndefined();
    await waitFor('no container more', async () => (await made()).length === 2, PATIENCE_MS);
    await recordsEqualEngines(bed);
  });
});

describeLong('an agent that dies when a task has ended by itself', () => {
  const points: readonly Armed[] = ['agent.task-ended', 'agent.end-written', 'agent.update-acknowledged'];
  test.each(points)('at %s: the end is told once, one new run takes its place', async (point) => {
    const before = await runsOnFirst(2);
    await restartArmed(first.agent, point);
    await registered(first);
    const [[victim, container] = ['', '']] = [...before];
    witness.byHand(victim);
    await first.docker.getContainer(container).kill();
    await crashed(first.agent);
    await restarted(first);
    expect(await failureOf(bed, '/app', /SIGKILL|137/)).toMatchObject({ taskId: victim, state: 'TASK_FAILED' });
    const after = await settledAs(bed, '/app', 2);
    expect([...after].filter(([taskId]) => before.has(taskId))).toHaveLength(1);
    expect([...after.keys()].filter((id) => id.endsWith('._app.2'))).toHaveLength(1);
    await recordsEqualEngines(bed);
  });
});

describeLong('an agent that dies again while it recovers', () => {
  test.each<Armed>(['agent.task-recovering', 'agent.task-recovering:2'])('at %s: nothing is lost', async (point) => {
    const before = await runsOnFirst(3);
    await restartArmed(first.agent, point);
    await crashed(first.agent);
    await restarted(first);
    expect(await settledAs(bed, '/app', 3)).toEqual(before);
    await recordsEqualEngines(bed);
  });
});

describeLong('a new agent that dies before it has written its id down', () => {
  test('comes back under another id and takes work', async () => {
    await second.agent.kill();
    rmSync(second.workDir, { recursive: true });
    for (const { id } of await second.containers()) await second.docker.getContainer(id).remove({ force: true });
    await restartArmed(second.agent, 'agent.id-given');
    await crashed(second.agent);
    await restarted(second);
    await bed.marathon().ok('POST', '/v2/apps', sleeper('/app', {}, 'a2'));
    await settledAs(bed, '/app', 1);
    await recordsEqualEngines(bed);
  });
});

describe('a checkpoint of a running task', () => {
  const damages: readonly (readonly [string, (path: string) => void, RegExp])[] = [
    ['garbage', (path) => writeFileSync(path, '\0\0\0 not a checkpoint'), /checkpoint set aside/],
    ['cut short', (path) => truncateSync(path, 40), /checkpoint set aside/],
    ['empty', (path) => truncateSync(path, 0), /checkpoint set aside/],
    [
      'readable but senseless',
      (path) => {
        const { name } = JSON.parse(readFileSync(path, 'utf8')) as { name: string };
        writeFileSync(path, JSON.stringify({ name, text: '{"version":1}' }));
      },
      /checkpoint set aside/,
    ],
    ['removed', (path) => rmSync(path), /task taken over without a checkpoint/],
  ];
  const table = damages.map(([name, damage, words], index) => ({ name, damage, words, index }));
  const [quick, ...slow] = table;

  async function survives({ damage, words }: (typeof table)[number]): Promise<void> {
    const before = await runsOnFirst(2);
    await first.agent.kill();
    const length = first.agent.log().length;
    const [victim = ''] = before.keys();
    const folder = join(first.workDir, 'checkpoints');
    const file = readdirSync(folder).find((name) => name.includes(victim));
    if (file === undefined) throw new Error(`no checkpoint of ${victim} in ${readdirSync(folder).join(', ')}`);
    damage(join(folder, file));
    await restarted(first);
    expect(await settledAs(bed, '/app', 2)).toEqual(before);
    const line = logSince(first, length)
      .split('\n')
      .find((text) => words.test(text));
    expect(line).toContain(victim);
    // It is taken over in full: it can be killed, and its end is told.
    await bed.marathon().ok('DELETE', `/v2/apps/app/tasks/${victim}`);
    await waitFor('the task to be replaced', async () => !(await bed.running()).has(victim), PATIENCE_MS);
    const after = await settledAs(bed, '/app', 2);
    expect(after.has(victim)).toBe(false);
    await recordsEqualEngines(bed);
  }

  test.each(quick === undefined ? [] : [quick])('that is $name costs no container', survives);
  describeLong('(others)', () => {
    test.each(slow)('that is $name costs no container', survives);
  });
});

describeLong('the checkpoint of the agent itself', () => {
  test.each(['garbage', 'removed'] as const)('%s: the containers tell under which id it was', async (how) => {
    const before = await runsOnFirst(2);
    const idsBefore = await agentIds();
    await first.agent.kill();
    const length = first.agent.log().length;
    const folder = join(first.workDir, 'checkpoints');
    const path = join(folder, readdirSync(folder).find((name) => /^agent-/.test(name)) ?? 'none');
    if (how === 'garbage') writeFileSync(path, '{');
    else rmSync(path);
    await restarted(first);
    expect(await settledAs(bed, '/app', 2)).toEqual(before);
    expect(await agentIds()).toEqual(idsBefore);
    if (how === 'garbage') expect(logSince(first, length)).toMatch(/checkpoint set aside.*agent-/);
    await recordsEqualEngines(bed);
  });

  test('all checkpoints removed: every task is taken over', async () => {
    const before = await runsOnFirst(3);
    await first.agent.kill();
    rmSync(join(first.workDir, 'checkpoints'), { recursive: true });
    await restarted(first);
    expect(await settledAs(bed, '/app', 3)).toEqual(before);
    await recordsEqualEngines(bed);
  });
});

/** Ids on record, of agents that are not lost. */
async function agentIds(): Promise<string[]> {
  const { agents } = (await bed.marathon().ok('GET', '/v1/status')) as { agents: { id: string; state: string }[] };
  return agents.flatMap(({ id, state }) => (state === 'active' ? [id] : [])).toSorted();
}

describe('the same agent id on two hosts', () => {
  test('the second is refused with a clear error, and nothing happens to the first', async () => {
    const before = await runsOnFirst(2);
    await second.agent.kill();
    const kept = `${second.workDir}.kept`;
    cpSync(second.workDir, kept, { recursive: true });
    rmSync(second.workDir, { recursive: true });
    cpSync(first.workDir, second.workDir, { recursive: true });
    const length = second.agent.log().length;
    try {
      second.agent.start();
      await waitFor(
        'the second to be sent away',
        () => /has sent this agent away.*is registered from host/.test(logSince(second, length)),
        PATIENCE_MS,
      );
      expect(await settledAs(bed, '/app', 2)).toEqual(before);
      expect((await second.containers()).filter(({ state }) => state === 'running')).toEqual([]);
    } finally {
      await second.agent.kill();
      rmSync(second.workDir, { recursive: true });
      cpSync(kept, second.workDir, { recursive: true });
      rmSync(kept, { recursive: true });
    }
    await restarted(second);
    await recordsEqualEngines(bed);
  });
});

describeLong('an agent that is away for longer than the limit', () => {
  const strategy = (inactiveAfterSeconds: number, expungeAfterSeconds: number) => ({
    unreachableStrategy: { inactiveAfterSeconds, expungeAfterSeconds },
  });

  /** One instance whose agent is lost, and its replacement on the other host. */
  async function replacedElsewhere(overrides: Record<string, unknown>) {
    await bed.marathon().ok('POST', '/v2/apps', sleeper('/app', overrides));
    const before = await settledAs(bed, '/app', 1);
    const [name] = await hostsOf(bed, '/app');
    const home = bed.hosts.find(({ node }) => node.name === name) ?? first;
    await home.agent.kill();
    await untilAgent(bed, bed.hosts.indexOf(home), 'unreachable');
    await waitFor('a replacement', async () => (await runningOf(bed, '/app')).size === 2, PATIENCE_MS);
    return { before, home };
  }

  test('and comes back before its instance is forgotten: the younger one is killed', async () => {
    const { before, home } = await replacedElsewhere({ ...strategy(1, 600) });
    await restarted(home);
    expect(await settledAs(bed, '/app', 1)).toEqual(before);
    await recordsEqualEngines(bed);
  });

  test('and comes back after its instance is forgotten: what it brings back is killed', async () => {
    const { before, home } = await replacedElsewhere({ ...strategy(0, 0) });
    const after = await settledOnRecord();
    await restarted(home);
    expect([...(await settledAs(bed, '/app', 1)).keys()]).toEqual(after);
    expect(after.filter((id) => before.has(id))).toEqual([]);
    await recordsEqualEngines(bed);
  });

  test('with the strategy disabled: it is waited for', async () => {
    await bed.marathon().ok('POST', '/v2/apps', sleeper('/app', { unreachableStrategy: 'disabled' }, 'a1'));
    const before = await settledAs(bed, '/app', 1);
    await first.agent.kill();
    await untilAgent(bed, 0, 'unreachable');
    expect((await bed.marathon().app('/app')).tasks.map(({ id, state }) => ({ id, state }))).toEqual(
      [...before.keys()].map((id) => ({ id, state: 'TASK_UNREACHABLE' })),
    );
    await restarted(first);
    expect(await settledAs(bed, '/app', 1)).toEqual(before);
    await recordsEqualEngines(bed);
  });

  test('and whose app is deleted meanwhile: its containers go when it is back', async () => {
    await runsOnFirst(2);
    await first.agent.kill();
    await untilAgent(bed, 0, 'unreachable');
    await bed.marathon().ok('DELETE', '/v2/apps/app');
    await bed.marathon().gone('/app');
    await restarted(first);
    await waitFor('no container', async () => (await made()).length === 0, PATIENCE_MS);
    await recordsEqualEngines(bed);
  });

  async function settledOnRecord(): Promise<string[]> {
    const { tasks } = await bed.marathon().settled('/app', 1, PATIENCE_MS);
    return tasks.map(({ id }) => id);
  }
});
