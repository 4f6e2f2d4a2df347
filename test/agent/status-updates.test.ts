import { StatusUpdates } from '../../src/agent/status-updates';
import { LIMITS } from '../../src/core/limits';
import type { AgentUpdate } from '../../src/core/ports/agent-link';
import type { TaskState, TaskStatus } from '../../src/core/records/mesos';
import { FakeClock, silentLogger } from '../support/fakes';

let clock: FakeClock;
let updates: StatusUpdates;
let calls: AgentUpdate[][];
let take: () => Promise<void>;

beforeEach(() => {
  clock = new FakeClock();
  updates = new StatusUpdates(clock, silentLogger());
  calls = [];
  take = () => Promise.resolve();
});

const status = (taskId: string, uuid: string, state: TaskState = 'TASK_RUNNING', parts: object = {}): TaskStatus => ({
  task_id: { value: taskId },
  state,
  uuid,
  ...parts,
});
const report = (taskId: string, uuid: string) =>
  status(taskId, uuid, 'TASK_RUNNING', { reason: 'REASON_TASK_HEALTH_CHECK_STATUS_UPDATED' });
const connect = () =>
  updates.connected((sent) => {
    calls.push([...sent]);
    return take();
  });
const sent = () => calls.map((call) => call.map((update) => update.status.uuid));

test('sends the oldest of each task, in one call, and the next only after its acknowledgement', async () => {
  updates.add('a', 'F', status('a', 'a1'), true);
  updates.add('a', 'F', status('a', 'a2', 'TASK_FINISHED'), true);
  updates.add('b', 'F', status('b', 'b1'), true);
  connect();
  await clock.run(0);
  expect(sent()).toEqual([['a1', 'b1']]);
  expect(calls[0]?.[0]).toMatchObject({ frameworkId: 'F', latestState: 'TASK_FINISHED' });
  expect(updates.acknowledge('a', 'a1')).toBe(true);
  await clock.run(0);
  expect(sent()).toEqual([['a1', 'b1'], ['a2']]);
});

test('does not send what is not durable yet', async () => {
  connect();
  updates.add('a', 'F', status('a', 'a1'));
  await clock.run(60_000);
  expect(sent()).toEqual([]);
  updates.markReady('a', 'a1');
  await clock.run(0);
  expect(sent()).toEqual([['a1']]);
});

test('repeats after 10 s, doubling to 10 min', async () => {
  updates.add('a', 'F', status('a', 'a1'), true);
  connect();
  const gaps: number[] = [];
  let before = 0;
  for (let n = 1; n <= 8; n++) {
    await clock.runUntil(() => calls.length === n + 1, LIMITS.updateRetryLastMs * 2);
    gaps.push(clock.monotonicMs() - before);
    before = clock.monotonicMs();
  }
  expect(gaps).toEqual([10_000, 20_000, 40_000, 80_000, 160_000, 320_000, 600_000, 600_000]);
});

test.each(['a2', 'nonsense'])('takes no acknowledgement but that of the first: %s', async (uuid) => {
  updates.add('a', 'F', status('a', 'a1'), true);
  updates.add('a', 'F', status('a', 'a2', 'TASK_FINISHED'), true);
  connect();
  expect(updates.acknowledge('a', uuid)).toBe(false);
  expect(updates.pending('a')).toHaveLength(2);
});

test('sends all again with a new session, and nothing without one', async () => {
  updates.add('a', 'F', status('a', 'a1'), true);
  connect();
  await clock.run(0);
  updates.disconnected();
  await clock.run(3_600_000);
  expect(sent()).toEqual([['a1']]);
  connect();
  await clock.run(0);
  expect(sent()).toEqual([['a1'], ['a1']]);
});

test('a call that is not taken is repeated soon', async () => {
  take = () => Promise.reject(new Error('503'));
  updates.add('a', 'F', status('a', 'a1'), true);
  connect();
  await clock.run(0);
  take = () => Promise.resolve();
  await clock.run(LIMITS.retryLastMs);
  expect(sent()).toEqual([['a1'], ['a1']]);
});

test('one call at a time; what comes meanwhile goes in the next one', async () => {
  let release: () => void = () => undefined;
  take = () => new Promise((resolve) => (release = resolve));
  connect();
  updates.add('a', 'F', status('a', 'a1'), true);
  updates.add('b', 'F', status('b', 'b1'), true);
  updates.add('c', 'F', status('c', 'c1'), true);
  await clock.run(0);
  expect(sent()).toEqual([['a1']]);
  release();
  await clock.run(0);
  expect(sent()).toEqual([['a1'], ['b1', 'c1']]);
});

test('of reports that wait only the newest is kept, states are never dropped', () => {
  updates.add('a', 'F', status('a', 'a1'), true);
  for (const uuid of ['h1', 'h2', 'h3']) updates.add('a', 'F', report('a', uuid), true);
  updates.add('a', 'F', status('a', 'end', 'TASK_FINISHED'), true);
  expect(updates.pending('a').map(({ uuid }) => uuid)).toEqual(['a1', 'h3', 'end']);
});

test('a call carries at most LIMITS.updatesPerCall', async () => {
  for (let n = 0; n < LIMITS.updatesPerCall + 3; n++) updates.add(`t${n}`, 'F', status(`t${n}`, `u${n}`), true);
  connect();
  await clock.run(0);
  expect(calls.map((call) => call.length)).toEqual([LIMITS.updatesPerCall, 3]);
});
