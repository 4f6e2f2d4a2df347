import { taskIdOf, parseTaskId } from '../../src/core/records/paths';
import type { TaskLaunch } from '../../src/core/ports/task-driver';
import type { TaskInfo } from '../../src/core/records/mesos';
import type { Instance, Task } from '../../src/core/records/records';
import type { Fence, Write } from '../../src/core/ports/store';
import { MemoryStore } from '../../src/io/memory/store';
import { SimDriver } from './driver';
import { Violation } from '../checker/history';
import type { Container } from './host';
import { World, type WorldOptions } from './world';

/** What the first violation of each seed was, up to the first of the expected kind: what is broken shows in several ways. */
async function violations(options: WorldOptions, expected: string, seeds = 5): Promise<string[]> {
  const found: string[] = [];
  for (let seed = 1; seed <= seeds && !found.includes(expected); seed++) {
    try {
      await new World(seed, options).run();
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      found.push(error.invariant);
    }
  }
  return found;
}

function withResource(info: TaskInfo, name: string, resource: Partial<TaskInfo['resources'][number]>): TaskInfo {
  return { ...info, resources: info.resources.map((one) => (one.name === name ? { ...one, ...resource } : one)) };
}

/** Starts every container twice, under two names. */
class TwinDriver extends SimDriver {
  protected override begin(container: Container): void {
    super.begin(container);
    const { instanceId = '', incarnation = 0 } = parseTaskId(container.taskId) ?? {};
    const twin = taskIdOf(instanceId, incarnation + 1);
    this.host.create({ ...container, taskId: twin, sandbox: '', environment: {} });
    const made = this.host.containers.get(twin);
    if (made !== undefined) this.host.start(made);
  }
}

class GreedyDriver extends SimDriver {
  override create(task: TaskLaunch): Promise<void> {
    return super.create({ ...task, info: withResource(task.info, 'cpus', { scalar: { value: 9 } }) });
  }
}

class OnePortDriver extends SimDriver {
  override create(task: TaskLaunch): Promise<void> {
    const ranges = { range: [{ begin: 31_000, end: 31_000 }] };
    return super.create({ ...task, info: withResource(task.info, 'ports', { ranges }) });
  }
  protected override begin(container: Container): void {
    this.host.start(container);
  }
}

class KillingDriver extends SimDriver {
  protected override begin(container: Container): void {
    super.begin(container);
    void this.host.stop(container, 1_000);
  }
}

class ForeignDriver extends SimDriver {
  protected override begin(container: Container): void {
    super.begin(container);
    this.host.create({ ...container, taskId: 'nobody-asked', sandbox: '', environment: {} });
    const made = this.host.containers.get('nobody-asked');
    if (made !== undefined) this.host.start(made);
  }
}

class FailingDriver extends SimDriver {
  protected override begin(container: Container): void {
    this.host.start(container);
    this.host.end(container, 1, 'never comes up');
  }
}

class ShortLivedDriver extends SimDriver {
  protected override begin(container: Container): void {
    super.begin(container);
    this.clock.after(12_000, () => this.host.end(container, 0, 'done'));
  }
}

class UnfencedStore extends MemoryStore {
  override commit(writes: readonly Write[], _fence?: Fence): Promise<number> {
    return super.commit(writes);
  }
}

/** Says yes to changes of apps and forgets them. */
class ForgetfulStore extends MemoryStore {
  override commit(writes: readonly Write[], fence?: Fence): Promise<number> {
    const isAppChange = writes.some(({ key }) => key.startsWith('/berth/v1/appversions/'));
    return isAppChange ? Promise.resolve(this.revision()) : super.commit(writes, fence);
  }
}

/** Applies each change of an app to another count than the user wanted. */
class MeddlingStore extends MemoryStore {
  override commit(writes: readonly Write[], fence?: Fence): Promise<number> {
    const changed = writes.map((write) =>
      write.kind === 'put' && write.key.startsWith('/berth/v1/apps/')
        ? { ...write, value: write.value.replace(/"version":"[^"]*"/, '"version":"2020-01-01T00:00:00.000Z"') }
        : write,
    );
    return super.commit(changed, fence);
  }
}

function reviveTask({ store }: World): void {
  const key = '/berth/v1/tasks/a/t';
  const put = (state: Task['status']['state']) => {
    const spec = { taskId: 't', agentId: 'a', frameworkId: 'f', role: '*', info: {} };
    store.serverCommit([{ kind: 'put', key, value: JSON.stringify({ spec, status: { state } }) }]);
  };
  put('TASK_FAILED');
  put('TASK_RUNNING');
}

/** Ends some wanted instance, as an orchestrator with a bug would. */
function endSomeInstance({ servers, store, truth }: World): void {
  const id = [...truth.instances.values()].find(({ goal, present }) => present && goal === 'Running')?.id;
  const records = servers[0]?.replica?.records;
  for (const { path, record } of records?.collection('Instance').list() ?? [])
    if (record.metadata.name === id) {
      const ended: Instance = { ...record, spec: { ...record.spec, goal: 'Decommissioned' } };
      store.serverCommit([{ kind: 'put', key: `/berth/v1/instances/${path}`, value: JSON.stringify(ended) }]);
    }
}

/** Adds instances to every app, through the eyes of the rule. */
function addInstances({ servers, rollouts }: World): void {
  const records = servers[0]?.replica?.records;
  if (records === undefined) return;
  for (const { path, record } of [...records.collection('Instance').list()]) {
    const name = record.metadata.name.replace(/instance-..../, 'instance-0000');
    const more: Instance = { ...record, metadata: { ...record.metadata, name } };
    const write = { op: 'put' as const, kind: 'Instance' as const, path: path.replace(record.metadata.name, name) };
    if (records.collection('Instance').get(write.path) === undefined)
      void rollouts
        .watching(records)
        .write([{ ...write, record: more, expect: 0 }])
        .catch(() => 0);
  }
}

/** With SIM_SEED only that seed runs. */
const describeRules = process.env['SIM_SEED'] === undefined ? describe : describe.skip;

describeRules('what is broken on purpose is found', () => {
  test.each<{ name: string; options: WorldOptions; expected: string }>([
    { name: 'a second container', options: { driver: TwinDriver }, expected: 'no instance twice' },
    { name: 'too many cpus', options: { driver: GreedyDriver }, expected: 'no agent over its resources' },
    { name: 'one port for all', options: { driver: OnePortDriver }, expected: 'no port twice' },
    {
      name: 'a driver that kills',
      options: { driver: KillingDriver },
      expected: 'nothing is killed that nobody asked to kill',
    },
    {
      name: 'an orchestrator that ends instances',
      options: { sabotage: endSomeInstance },
      expected: 'nothing is killed that nobody asked to kill',
    },
    { name: 'a container of no task', options: { driver: ForeignDriver }, expected: 'intent before effect' },
    {
      name: 'containers that never stay',
      options: { driver: FailingDriver, calmLimitMs: 30_000 },
      expected: 'converged in the end',
    },
    { name: 'containers that end', options: { driver: ShortLivedDriver }, expected: 'quiet when converged' },
    {
      name: 'a store that forgets',
      options: { newStore: () => new ForgetfulStore() },
      expected: 'no acknowledged write is lost',
    },
    {
      name: 'a store that changes wishes',
      options: { newStore: () => new MeddlingStore() },
      expected: 'no acknowledged write is lost',
    },
    { name: 'a task that comes back to life', options: { sabotage: reviveTask }, expected: 'a terminal task stays so' },
    {
      name: 'more instances than allowed',
      options: { sabotage: addInstances },
      expected: 'counts within the upgrade strategy',
    },
  ])('$name', async ({ options, expected }) => {
    expect(await violations(options, expected)).toContain(expected);
  });

  test('a store without fences', async () => {
    const expected = 'never two leaders at once';
    expect(await violations({ newStore: () => new UnfencedStore() }, expected, 40)).toContain(expected);
  });

  test('the same seed gives the same history', async () => {
    const histories = await Promise.all(
      [7, 7, 8].map(async (seed) => {
        const world = new World(seed);
        await world.run();
        return world.history.text();
      }),
    );
    expect(histories[0]).toBe(histories[1]);
    expect(histories[0]).not.toBe(histories[2]);
  });
});
