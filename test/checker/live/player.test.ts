import { parseResources } from '../../../src/core/records/resource-text';
import { ResourceBag } from '../../../src/core/records/resources';
import { taskIdOf } from '../../../src/core/records/paths';
import type { KeyChange, Observation, Sight } from './observation';
import { judge } from './player';

const CAPACITY = ResourceBag.of(parseResources('cpus:2;mem:1000;ports:[31000-31999]'));
const HOSTS = new Map([
  ['a1', CAPACITY],
  ['a2', CAPACITY],
]);
const V1 = '2026-01-01T00:00:01.000Z';
const V2 = '2026-01-01T00:00:02.000Z';
const V3 = '2026-01-01T00:00:03.000Z';
const ONE = 'web.instance-00000000-0000-0000-0000-000000000001';
const TWO = 'web.instance-00000000-0000-0000-0000-000000000002';

/** A run told step by step; each step is a second after the last. */
class Story {
  private readonly seen: Observation[] = [];
  private revision = 0;

  add(...sights: readonly Sight[]): this {
    for (const sight of sights) this.seen.push({ atMs: this.seen.length * 1_000, ...sight });
    return this;
  }

  commit(...changes: readonly KeyChange[]): this {
    return this.add({ kind: 'commit', revision: ++this.revision, changes });
  }

  /** A user's wish that is granted. */
  put(number: number, op: string, instances: number, version: string, stored = true): this {
    this.add({ kind: 'attempt', number, appId: '/web', what: 'put', wish: `op "${op}" x${instances}` });
    if (stored) this.commit(app(op, instances, version));
    return this.add({ kind: 'answer', number, outcome: 'acknowledged', version });
  }

  /** An instance that is launched on a host, and whose container starts. */
  launched(id: string, host: string, port: number, cpus = 1): this {
    this.commit(instance(id));
    this.commit(task(id, host, 'TASK_STAGING', port, cpus));
    this.add(container(host, id, 'started'));
    return this.commit(task(id, host, 'TASK_RUNNING', port, cpus));
  }

  /** The first broken rule. */
  verdict(): string {
    return judge(this.seen, HOSTS).violation?.invariant ?? 'nothing';
  }
}

function metadata(name: string, more: object = {}) {
  return { name, uid: name, generation: 1, creationTimestamp: V1, ...more };
}

function app(op: string, instances: number, version: string, more: object = {}): KeyChange {
  const upgradeStrategy = { minimumHealthCapacity: 1, maximumOverCapacity: 0 };
  const spec = { id: '/web', env: { OP: op }, instances, version, constraints: [], upgradeStrategy };
  return { key: '/berth/v1/apps/web', value: JSON.stringify({ kind: 'App', metadata: metadata('web', more), spec }) };
}

function instance(id: string, goal = 'Running'): KeyChange {
  const spec = { appId: '/web', appVersion: V1, goal, incarnation: 1 };
  const record = { kind: 'Instance', metadata: metadata(id), spec };
  return { key: `/berth/v1/instances/web/${id}`, value: JSON.stringify(record) };
}

function task(id: string, host: string, state: string, port: number, cpus = 1): KeyChange {
  const taskId = taskIdOf(id, 1);
  const resources = parseResources(`cpus:${cpus};mem:10;ports:[${port}-${port}]`);
  const info = { name: 'web', task_id: { value: taskId }, agent_id: { value: host }, resources };
  const spec = { taskId, agentId: host, frameworkId: 'berth', role: '*', info };
  const record = { kind: 'Task', metadata: metadata(taskId), spec, status: { state, stagedAtMs: 1 } };
  return { key: `/berth/v1/tasks/${host}/${taskId}`, value: JSON.stringify(record) };
}

function withStatus({ key, value }: KeyChange, more: object): KeyChange {
  const record = JSON.parse(value ?? '{}') as { status: object };
  return { key, value: JSON.stringify({ ...record, status: { ...record.status, ...more } }) };
}

function container(host: string, id: string, what: 'started' | 'stop asked' | 'ended' | 'removed'): Sight {
  return { kind: 'container', host, taskId: taskIdOf(id, 1), what };
}

function rollout(state: string, action = 'ScaleApplication'): KeyChange {
  const apps = [{ id: '/web', fromVersion: V1, toVersion: V2 }];
  const steps = [{ actions: [{ action, app: '/web' }] }];
  const spec = { version: V2, apps, steps };
  const record = { kind: 'Rollout', metadata: metadata('r1'), spec, status: { currentStep: 1, state } };
  return { key: '/berth/v1/rollouts/r1', value: JSON.stringify(record) };
}

/** Two instances, as a user wanted. */
function running(): Story {
  return new Story().put(1, 'a', 2, V1).launched(ONE, 'a1', 31_000).launched(TWO, 'a2', 31_000);
}

function read(replica: string, version: string): Sight {
  return { kind: 'read', replica, appId: '/web', version };
}

describe('a recorded run', () => {
  test('in which all was right breaks no rule', () => {
    const story = running()
      .add(read('s1', V1))
      .add({ kind: 'attempt', number: 2, appId: '/web', what: 'put', wish: 'op "a" x1' })
      .commit(app('a', 1, V2), rollout('Running'))
      .add({ kind: 'answer', number: 2, outcome: 'acknowledged', version: V2 }, read('s1', V2))
      .commit(instance(TWO, 'Decommissioned'))
      .add(container('a2', TWO, 'stop asked'), container('a2', TWO, 'ended'))
      .commit(task(TWO, 'a2', 'TASK_KILLED', 31_000))
      .add(container('a2', TWO, 'removed'));
    expect(story.verdict()).toBe('nothing');
  });

  test('what a person did to a container is not held against Berth', () => {
    const story = running().add(
      { kind: 'by hand', taskId: taskIdOf(ONE, 1), what: 'stopped' },
      container('a1', ONE, 'stop asked'),
      container('a1', ONE, 'ended'),
    );
    expect(story.verdict()).toBe('nothing');
  });

  test.each([
    { name: 'was asked for when it was unhealthy', killRequested: { atMs: 1 }, broken: 'nothing' },
    { name: 'was not', killRequested: undefined, broken: 'nothing is killed that nobody asked to kill' },
  ])('a task that is well again may be killed when its kill $name', ({ killRequested, broken }) => {
    const told = (healthy: boolean, more: object = {}) =>
      withStatus(task(ONE, 'a1', 'TASK_RUNNING', 31_000), { latest: { state: 'TASK_RUNNING', healthy }, ...more });
    const kill = killRequested === undefined ? {} : { killRequested };
    const story = running()
      .commit(told(false))
      .commit(told(false, kill))
      .add(container('a1', ONE, 'stop asked'))
      .commit(told(true, kill));
    expect(story.verdict()).toBe(broken);
  });

  test.each([
    { name: 'is surplus when the lost one is back', isBack: true, broken: 'nothing' },
    { name: 'is wanted while it is not', isBack: false, broken: 'nothing is killed that nobody asked to kill' },
  ])('the replacement of a lost instance $name', ({ isBack, broken }) => {
    const story = new Story()
      .put(1, 'a', 1, V1)
      .launched(ONE, 'a1', 31_000)
      .commit(task(ONE, 'a1', 'TASK_UNREACHABLE', 31_000))
      .launched(TWO, 'a2', 31_000);
    if (isBack) story.commit(task(ONE, 'a1', 'TASK_RUNNING', 31_000));
    expect(story.commit(instance(TWO, 'Decommissioned')).verdict()).toBe(broken);
  });

  test('a user may kill and scale down what a rollout must keep', () => {
    const rolling = () => running().put(2, 'b', 2, V2).commit(rollout('Running', 'RestartApplication'));
    const kill: Sight = { kind: 'attempt', number: 3, appId: '/web', what: 'scale kill', taskId: taskIdOf(ONE, 1) };
    const scaled = (story: Story) => story.commit(app('b', 1, V3), instance(ONE, 'Decommissioned'));
    const told: Sight = { kind: 'answer', number: 3, outcome: 'acknowledged', version: V3 };
    expect(scaled(rolling().add(kill)).add(told).verdict()).toBe('nothing');
    expect(scaled(rolling()).verdict()).toBe('counts within the upgrade strategy');
  });

  test('a write whose answer never came may be there or not', () => {
    const unknown: Sight = { kind: 'attempt', number: 2, appId: '/web', what: 'put', wish: 'op "b" x2' };
    const lost: Sight = { kind: 'answer', number: 2, outcome: 'unknown' };
    expect(running().add(unknown, lost).verdict()).toBe('nothing');
    expect(
      running()
        .add(unknown)
        .commit(app('b', 2, V2))
        .add(lost)
        .verdict(),
    ).toBe('nothing');
  });

  test.each<[string, () => Story, string]>([
    [
      'an acknowledged write is not in the store',
      () => running().put(2, 'b', 2, V2, false),
      'no acknowledged write is lost',
    ],
    ['the store has what nobody wanted', () => running().commit(app('b', 2, V2)), 'no acknowledged write is lost'],
    [
      'a refused write is in the store',
      () =>
        running()
          .add({ kind: 'attempt', number: 2, appId: '/web', what: 'put', wish: 'op "b" x2' })
          .commit(app('b', 2, V2))
          .add({ kind: 'answer', number: 2, outcome: 'refused' }),
      'no acknowledged write is lost',
    ],
    [
      'an app vanishes',
      () => running().commit({ key: '/berth/v1/apps/web', value: null }),
      'no acknowledged write is lost',
    ],
    [
      'an app is deleted and nobody asked',
      () => running().commit(app('a', 2, V1, { deletionTimestamp: V2 })),
      'no acknowledged write is lost',
    ],
    [
      'a replica answers with an older definition',
      () => running().put(2, 'b', 2, V2).add(read('s1', V2), read('s2', V1), read('s1', V1)),
      'reads never go back in time on one replica',
    ],
    ['a replica answers what never was', () => running().add(read('s1', V2)), 'reads are of what the store had'],
    [
      'a task comes back from the dead',
      () =>
        running()
          .commit(task(ONE, 'a1', 'TASK_FAILED', 31_000))
          .commit(task(ONE, 'a1', 'TASK_RUNNING', 31_000)),
      'a terminal task stays so',
    ],
    [
      'a container is stopped',
      () => running().add(container('a1', ONE, 'stop asked')),
      'nothing is killed that nobody asked to kill',
    ],
    [
      'an instance is given up',
      () => running().commit(instance(ONE, 'Decommissioned')),
      'nothing is killed that nobody asked to kill',
    ],
    [
      'a container starts that the store does not know',
      () => running().add(container('a1', `${ONE.slice(0, -1)}9`, 'started')),
      'intent before effect',
    ],
    ['an instance runs twice', () => running().add(container('a2', ONE, 'started')), 'no instance twice'],
    [
      'two tasks have one port',
      () => new Story().put(1, 'a', 2, V1).launched(ONE, 'a1', 31_000).launched(TWO, 'a1', 31_000),
      'no port twice',
    ],
    [
      'a host is overbooked',
      () => new Story().put(1, 'a', 2, V1).launched(ONE, 'a1', 31_000).launched(TWO, 'a1', 31_001, 1.5),
      'no agent over its resources',
    ],
    [
      'an instance too many is made',
      () => new Story().put(1, 'a', 0, V1).commit(instance(ONE)).commit(instance(TWO)),
      'counts within the upgrade strategy',
    ],
    [
      'a rollout takes the last one that serves',
      () =>
        running()
          .put(2, 'b', 2, V2)
          .commit(rollout('Running', 'RestartApplication'))
          .commit(instance(ONE, 'Decommissioned')),
      'counts within the upgrade strategy',
    ],
  ])('%s', (_what, story, broken) => {
    expect(story().verdict()).toBe(broken);
  });
});
