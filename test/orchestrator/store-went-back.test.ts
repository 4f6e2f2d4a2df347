import type { App } from '../../src/core/records/app';
import { KEY_ROOT, parseTaskId, taskIdOf } from '../../src/core/records/paths';
import { taskRecord } from './scripted-master';
import { World } from './world';

const RECORDS_OF_THE_USER = ['apps', 'appversions', 'instances', 'rollouts'];

describe('records older than what runs', () => {
  let world: World;
  beforeEach(async () => {
    world = new World();
    await world.start([{ id: 'a1', cpus: 100, mem: 100_000 }]);
  });
  afterEach(() => world.end());

  const kills = () => world.master.callsOf('KILL').length;

  /** What users and the orchestrator have written: the tasks are as the agents say. */
  async function snapshot(): Promise<Map<string, string>> {
    const found = new Map<string, string>();
    for (const plural of RECORDS_OF_THE_USER)
      for await (const { entries } of world.store.list(`${KEY_ROOT}${plural}/`))
        for (const { key, value } of entries) found.set(key, value);
    return found;
  }

  async function restore(saved: ReadonlyMap<string, string>): Promise<void> {
    world.term.abort();
    for (const key of (await snapshot()).keys())
      if (!saved.has(key)) await world.store.commit([{ kind: 'delete', key }]);
    for (const [key, value] of saved) await world.store.commit([{ kind: 'put', key, value }]);
    await world.run();
    await world.lead();
    await world.run(120_000);
  }

  test('what was started since is adopted and kept, and the next change of the app is obeyed', async () => {
    await world.put({ id: '/web', instances: 1 });
    await world.run();
    const saved = await snapshot();
    await world.run(1_000);
    await world.put({ id: '/web', instances: 4 });
    await world.run();
    const before = world.taskIds('/web').toSorted();
    expect(before).toHaveLength(4);

    await restore(saved);
    expect(kills()).toBe(0);
    expect(world.taskIds('/web').toSorted()).toEqual(before);
    expect(world.app('/web')?.record.spec.instances).toBe(1);
    expect(world.events('AppRecordOutdated')).toEqual([expect.stringContaining('3 instances should go')]);

    await world.put({ id: '/web', instances: 2 });
    await world.run(10_000);
    expect(world.running('/web')).toHaveLength(2);
    expect(world.master.launched()).toHaveLength(4);
  });

  test('the annotation lets those go that are kept', async () => {
    await world.put({ id: '/web', instances: 1 });
    await world.run();
    const saved = await snapshot();
    await world.run(1_000);
    await world.put({ id: '/web', instances: 3 });
    await world.run();
    await restore(saved);
    expect(world.running('/web')).toHaveLength(3);
    const stored = world.app('/web')?.record;
    if (stored === undefined) throw new Error('no app');
    const annotations = { 'berth.dev/release-kill-brake': 'yes' };
    const record: App = { ...stored, metadata: { ...stored.metadata, annotations } };
    await world.records.write([{ op: 'put', kind: 'App', path: 'web', record }]);
    await world.run(10_000);
    expect(world.running('/web')).toHaveLength(1);
    expect(world.app('/web')?.record.metadata.annotations).toEqual({});
  });

  test('a deletion of the past does not take what was made after it', async () => {
    await world.put({ id: '/web', instances: 2 });
    await world.run();
    const saved = new Map(
      [...(await snapshot())].map(([key, value]) => {
        if (key !== `${KEY_ROOT}apps/web`) return [key, value];
        const app = JSON.parse(value) as App;
        const deletionTimestamp = new Date(world.clock.nowMs()).toISOString();
        return [key, JSON.stringify({ ...app, metadata: { ...app.metadata, deletionTimestamp } })];
      }),
    );
    await world.run(1_000);
    await world.put({ id: '/web', instances: 2, cmd: 'newer' });
    await world.run(10_000);
    const before = world.taskIds('/web').toSorted();
    const killed = kills();
    await restore(saved);
    expect(kills()).toBe(killed);
    expect(world.taskIds('/web')).toEqual(expect.arrayContaining(before));
  });

  test('an unplaced instance of the past gives way to one that runs', async () => {
    await world.put({ id: '/web', instances: 1 });
    await world.run();
    const [task] = world.views('/web').map(({ task }) => task);
    if (task === undefined) throw new Error('nothing runs');
    const other = 'web.instance-22222222-2222-4222-8222-222222222222._app.1';
    const { info } = task.record.spec;
    const running = taskRecord({ ...info, task_id: { value: other } }, world.clock.nowMs(), 'TASK_RUNNING');
    // The agent runs another one than the records say, of the same version.
    world.term.abort();
    await world.master.update(task.record.spec.taskId, 'TASK_GONE');
    await world.records.write([{ op: 'put', kind: 'Task', path: `a1/${other}`, record: running }]);
    await world.lead();
    await world.run(10_000);
    expect(world.taskIds('/web')).toEqual([other]);
    expect(world.views('/web')).toHaveLength(1);
    expect(world.master.launched()).toHaveLength(1);
    expect(kills()).toBe(0);
  });

  /** One instance on record, and the agent of another says that it runs as well. */
  async function twoForOne(): Promise<{ readonly recorded: string; readonly adopted: string }> {
    await world.put({ id: '/web', instances: 1 });
    await world.run();
    const [task] = world.views('/web').map((view) => view.task);
    if (task === undefined) throw new Error('nothing runs');
    const adopted = 'web.instance-22222222-2222-4222-8222-222222222222._app.1';
    const { info } = task.record.spec;
    const running = taskRecord({ ...info, task_id: { value: adopted } }, world.clock.nowMs(), 'TASK_RUNNING');
    world.agentsAreBack = false;
    await world.records.write([{ op: 'put', kind: 'Task', path: `a1/${adopted}`, record: running }]);
    await world.run(10_000);
    expect(world.running('/web')).toHaveLength(2);
    expect(kills()).toBe(0);
    return { recorded: task.record.spec.taskId, adopted };
  }

  test('nothing is surplus while an agent may yet say that the other is over', async () => {
    const { recorded, adopted } = await twoForOne();
    await world.master.update(recorded, 'TASK_GONE');
    await world.run(1_000);
    world.agentsAreBack = true;
    await world.run(10_000);
    expect(world.taskIds('/web')).toEqual([adopted]);
    expect(world.views('/web')).toHaveLength(1);
    expect(kills()).toBe(0);
  });

  test('when all agents are back, what is surplus goes', async () => {
    await twoForOne();
    world.agentsAreBack = true;
    await world.run(10_000);
    expect(world.running('/web')).toHaveLength(1);
    expect(kills()).toBe(1);
  });

  test('a user who asks does not wait for agents', async () => {
    await twoForOne();
    await world.put({ id: '/web', instances: 1, cmd: 'newer' });
    await world.run(10_000);
    expect(kills()).toBe(2);
    expect(world.running('/web')).toHaveLength(1);
  });

  test('a later run than the record knows of is taken up where it is', async () => {
    await world.put({ id: '/web', instances: 1 });
    await world.run();
    const saved = await snapshot();
    const [view] = world.views('/web');
    if (view?.task === undefined) throw new Error('nothing runs');
    const { instanceId } = parseTaskId(view.task.record.spec.taskId) ?? { instanceId: '' };
    const third = taskIdOf(instanceId, 3);
    const running = taskRecord(
      { ...view.task.record.spec.info, task_id: { value: third } },
      world.clock.nowMs(),
      'TASK_RUNNING',
    );
    world.term.abort();
    await world.store.commit([
      { kind: 'put', key: `${KEY_ROOT}tasks/a1/${third}`, value: JSON.stringify(running) },
      { kind: 'delete', key: `${KEY_ROOT}tasks/${view.task.path}` },
    ]);
    await restore(saved);
    expect(world.taskIds('/web')).toEqual([third]);
    expect(world.views('/web')).toHaveLength(1);
    expect(world.master.launched()).toHaveLength(1);
    expect(kills()).toBe(0);
  });
});
