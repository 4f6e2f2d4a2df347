import { selectVictims } from '../../../src/core/lifecycle/kill-selection';
import type { InstanceCondition, InstanceView } from '../../../src/core/lifecycle/views';

function view(id: string, startedAtMs: number, condition: InstanceCondition = 'Running', rack?: string): InstanceView {
  const task = {
    path: id,
    revision: 1,
    record: {
      kind: 'Task' as const,
      metadata: { name: id, uid: id, generation: 1, creationTimestamp: '' },
      spec: {
        taskId: id,
        agentId: rack ?? '',
        frameworkId: 'f',
        role: '*',
        info: { name: id, task_id: { value: id }, agent_id: { value: rack ?? '' }, resources: [] },
      },
      status: { state: 'TASK_RUNNING' as const, stagedAtMs: startedAtMs, startedAtMs, history: [] },
    },
  };
  const instance = {
    path: id,
    revision: 1,
    record: {
      kind: 'Instance' as const,
      metadata: { name: id, uid: id, generation: 1, creationTimestamp: '2026-01-01T00:00:00.000Z' },
      spec: { appId: '/web', appVersion: 'v', goal: 'Running' as const, incarnation: 1 },
    },
  };
  return condition === 'Scheduled' ? { id, instance, condition } : { id, instance, task, condition };
}

/** Runs and fails its health check. */
function sick(id: string, startedAtMs: number, rack?: string): InstanceView {
  const running = view(id, startedAtMs, 'Running', rack);
  if (running.task === undefined) return running;
  const { record } = running.task;
  const latest = { task_id: { value: id }, state: 'TASK_RUNNING' as const, healthy: false };
  return { ...running, task: { ...running.task, record: { ...record, status: { ...record.status, latest } } } };
}

const rackOf = ({ task }: InstanceView) => (task?.record.spec.agentId === '' ? undefined : task?.record.spec.agentId);

describe('selectVictims', () => {
  const four = [view('old', 1), view('mid', 2), view('young', 3), view('youngest', 4)];
  test.each([
    {
      name: 'youngest first',
      views: four,
      count: 2,
      selection: 'YOUNGEST_FIRST' as const,
      expected: ['youngest', 'young'],
    },
    {
      name: 'what does not serve goes first',
      views: [sick('sick', 1), ...four],
      count: 2,
      selection: 'YOUNGEST_FIRST' as const,
      expected: ['sick', 'youngest'],
    },
    {
      name: 'of groups that are equally large, what does not serve goes first',
      views: [view('starting', 1, 'Starting', 'a'), view('serving', 2, 'Running', 'a'), sick('sick', 3, 'b')],
      count: 2,
      selection: 'OLDEST_FIRST' as const,
      expected: ['starting', 'sick'],
    },
    { name: 'oldest first', views: four, count: 2, selection: 'OLDEST_FIRST' as const, expected: ['old', 'mid'] },
    { name: 'none', views: four, count: 0, selection: 'OLDEST_FIRST' as const, expected: [] },
    {
      name: 'more than there are',
      views: four.slice(0, 1),
      count: 5,
      selection: 'OLDEST_FIRST' as const,
      expected: ['old'],
    },
    {
      name: 'by condition before age',
      views: [
        view('r', 9),
        view('t', 1, 'Starting'),
        view('s', 1, 'Staging'),
        view('u', 1, 'Unreachable'),
        view('w', 1, 'Scheduled'),
      ],
      count: 4,
      selection: 'YOUNGEST_FIRST' as const,
      expected: ['w', 'u', 's', 't'],
    },
    {
      name: 'the largest group gives first',
      views: [
        view('a1', 1, 'Running', 'a'),
        view('a2', 2, 'Running', 'a'),
        view('a3', 3, 'Running', 'a'),
        view('b9', 9, 'Running', 'b'),
      ],
      count: 2,
      selection: 'YOUNGEST_FIRST' as const,
      expected: ['a3', 'a2'],
    },
    {
      name: 'what is on no agent goes before any group',
      views: [view('a1', 1, 'Running', 'a'), view('a2', 2, 'Running', 'a'), view('w', 3, 'Scheduled')],
      count: 2,
      selection: 'YOUNGEST_FIRST' as const,
      expected: ['w', 'a2'],
    },
  ])('$name', ({ views, count, selection, expected }) => {
    expect(selectVictims(views, count, selection, rackOf).map(({ id }) => id)).toEqual(expected);
  });
});
