import { UnavailableError } from '../../src/core/errors';
import { sleep } from '../../src/core/ports/clock';
import { NO_CRASH_POINTS } from '../../src/core/ports/crash-points';
import type { Store } from '../../src/core/ports/store';
import type { Task } from '../../src/core/records/records';
import { StoredEventRecorder } from '../../src/core/records/event-recorder';
import { MemoryStore } from '../../src/io/memory/store';
import { MirrorRecords } from '../../src/io/mirror/records';
import { MASTER_DEFAULTS, type MasterContext } from '../../src/master/context';
import { Journal } from '../../src/master/journal';
import { FakeClock, noopMetrics, seededIds, seededRandom, silentLogger } from '../support/fakes';

const FENCE = { key: '/berth/leader', createRevision: 2 };

const task = (state: Task['status']['state']): Task => ({
  kind: 'Task',
  metadata: { name: 't', uid: 'u', generation: 1, creationTimestamp: '2026-01-01T00:00:00.000Z' },
  spec: {
    taskId: 't',
    agentId: 'a',
    frameworkId: 'f',
    role: '*',
    info: { name: 't', task_id: { value: 't' }, agent_id: { value: 'a' }, resources: [] },
  },
  status: { state, stagedAtMs: 0, history: [] },
});

describe('Journal', () => {
  let end: AbortController;
  const clock = new FakeClock();
  let store: MemoryStore;
  let records: MirrorRecords;
  let journal: Journal;
  /** How the next commit ends; afterwards all is well. */
  let next: 'well' | 'late' | 'unheard';

  beforeEach(async () => {
    end = new AbortController();
    store = new MemoryStore();
    next = 'well';
    const flaky: Store = {
      get: (key) => store.get(key),
      list: (prefix, options) => store.list(prefix, options),
      watch: (prefix, revision, signal, onStart) => store.watch(prefix, revision, signal, onStart),
      commit: async (writes, fence) => {
        const now = next;
        next = 'well';
        if (now === 'late') void sleep(clock, 5_000).then(() => store.commit(writes, fence).catch(() => 0));
        if (now === 'unheard') await store.commit(writes, fence);
        if (now !== 'well') throw new UnavailableError('store');
        return store.commit(writes, fence);
      },
    };
    await store.commit([{ kind: 'put', key: FENCE.key, value: '{}' }]);
    records = new MirrorRecords(flaky, clock, silentLogger(), noopMetrics());
    await records.start(end.signal);
    const ids = seededIds(1);
    const context: MasterContext = {
      records,
      term: { fence: FENCE, signal: end.signal },
      clock,
      random: seededRandom(1),
      ids,
      log: silentLogger(),
      metrics: noopMetrics(),
      events: new StoredEventRecorder(records, clock, ids, silentLogger(), 'master'),
      options: MASTER_DEFAULTS,
      masterId: 'm',
      crashPoints: NO_CRASH_POINTS,
    };
    journal = new Journal(context, () => undefined);
  });
  afterEach(async () => {
    journal.close();
    end.abort();
    await clock.run(0);
  });

  const stateOf = () => records.collection('Task').get('a/t')?.record.status.state;

  test('an attempt that takes effect late does not bring a removed task back', async () => {
    await journal.putTask('a/t', task('TASK_STAGING'));
    next = 'late';
    const put = journal.putTask('a/t', task('TASK_RUNNING'));
    await clock.run(200);
    await put;
    await journal.deleteTask('a/t');
    await clock.run(10_000);
    expect(store.peek('/berth/v1/tasks/a/t')).toBeUndefined();
  });

  test('a creation that takes effect after the removal is removed again', async () => {
    const seen: boolean[] = [];
    records.onChange((changes) => seen.push(...changes.map(({ current }) => current !== undefined)));
    next = 'late';
    const put = journal.putTask('a/t', task('TASK_RUNNING'));
    await clock.run(200);
    await put;
    await journal.deleteTask('a/t');
    await clock.run(10_000);
    expect(seen).toEqual([true, false, true, false]);
    expect(store.peek('/berth/v1/tasks/a/t')).toBeUndefined();
  });

  test('an attempt that took effect unheard is found and passed', async () => {
    next = 'unheard';
    const put = journal.putTask('a/t', task('TASK_RUNNING'));
    await clock.run(10_000);
    await put;
    await journal.putTask('a/t', task('TASK_FINISHED'));
    expect(stateOf()).toBe('TASK_FINISHED');
  });

  test('a record that somebody else wrote meanwhile is written over in the end', async () => {
    await journal.putTask('a/t', task('TASK_STAGING'));
    const text = JSON.stringify(task('TASK_LOST'));
    const put = journal.putTask('a/t', task('TASK_RUNNING'));
    await store.commit([{ kind: 'put', key: '/berth/v1/tasks/a/t', value: text }]);
    await clock.run(10_000);
    await put;
    expect(stateOf()).toBe('TASK_RUNNING');
  });

  test('a record that cannot be read is written over', async () => {
    await store.commit([{ kind: 'put', key: '/berth/v1/tasks/a/t', value: 'no JSON' }]);
    await clock.run(0);
    await journal.putTask('a/t', task('TASK_RUNNING'));
    expect(stateOf()).toBe('TASK_RUNNING');
  });
});
