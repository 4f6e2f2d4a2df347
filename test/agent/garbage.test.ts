import { containersToRemove, sandboxesToRemove, sandboxKeepMs, type EndedTask } from '../../src/agent/garbage';
import { agentIdOf, planRecovery, type FoundContainer } from '../../src/agent/recovery';
import type { TaskCheckpoint } from '../../src/agent/checkpoint';
import { updateUuid } from '../../src/agent/status-uuid';
import { shellTask } from './builders';

const ended = (taskId: string, endedAtMs: number, unwanted = false): EndedTask => ({ taskId, endedAtMs, unwanted });

describe('containersToRemove', () => {
  test.each<{ name: string; tasks: EndedTask[]; keepCount?: number; expected: string[] }>([
    { name: 'keeps young ones', tasks: [ended('a', 950)], expected: [] },
    { name: 'removes old ones, oldest first', tasks: [ended('b', 900), ended('a', 800)], expected: ['a', 'b'] },
    { name: 'removes what nobody wants at once', tasks: [ended('a', 999, true)], expected: ['a'] },
    {
      name: 'removes the oldest above the count',
      tasks: [ended('c', 999), ended('a', 960), ended('b', 970)],
      keepCount: 1,
      expected: ['a', 'b'],
    },
  ])('$name', ({ tasks, keepCount = 10, expected }) => {
    expect(containersToRemove(tasks, 1_000, 100, keepCount)).toEqual(expected);
  });
});

test('sandboxesToRemove keeps those in use and the young', () => {
  const sandboxes = [
    { path: '/old', modifiedMs: 0 },
    { path: '/used', modifiedMs: 0 },
    { path: '/young', modifiedMs: 950 },
  ];
  expect(sandboxesToRemove(sandboxes, new Set(['/used']), 1_000, 100)).toEqual(['/old']);
});

test.each([
  [0, 900],
  [0.5, 400],
  [0.9, 0],
  [1, 0],
])('on a disk that is full to %d sandboxes are kept for %d s of 1,000', (usage, seconds) => {
  expect(sandboxKeepMs(1_000_000, usage)).toBeCloseTo(seconds * 1_000);
});

const checkpoint = (taskId: string, agentId = 'S1'): TaskCheckpoint => ({
  version: 1,
  taskId,
  agentId,
  frameworkId: 'F1',
  driver: 'docker',
  info: shellTask(taskId, 'x'),
  sandbox: `/s/${taskId}`,
  phase: 'started',
  state: 'TASK_RUNNING',
  updates: [],
});
const container = (taskId: string, parts: object = {}): FoundContainer => ({
  driver: 'docker',
  task: { taskId, frameworkId: 'F1', containerId: `id-${taskId}`, containerName: taskId, phase: 'running', ...parts },
});

describe('planRecovery', () => {
  test('joins checkpoints with containers, takes over strangers, discards what never ran, and names those that say too little', () => {
    const steps = planRecovery(
      [checkpoint('both'), checkpoint('lost')],
      [
        container('both'),
        container('stranger', { agentId: 'S1', info: shellTask('stranger', 'x') }),
        container('mute'),
        container('unborn', { agentId: 'S1', info: shellTask('unborn', 'x'), phase: 'created' }),
      ],
      (framework, task) => `/s/${framework}/${task}`,
    );
    expect(
      steps.map((step) => [
        step.kind,
        'checkpoint' in step ? step.checkpoint.taskId : step.found.taskId,
        step.found?.containerId,
      ]),
    ).toEqual([
      ['resume', 'both', 'id-both'],
      ['resume', 'lost', undefined],
      ['adopt', 'stranger', 'id-stranger'],
      ['report', 'mute', 'id-mute'],
      ['discard', 'unborn', 'id-unborn'],
    ]);
  });
});

describe('agentIdOf', () => {
  test.each<{
    name: string;
    saved?: string;
    tasks?: TaskCheckpoint[];
    found?: FoundContainer[];
    expected: string | undefined;
  }>([
    { name: 'what was written down', saved: 'S9', tasks: [checkpoint('a', 'S1')], expected: 'S9' },
    {
      name: 'what all tasks and containers say',
      tasks: [checkpoint('a')],
      found: [container('b', { agentId: 'S1' })],
      expected: 'S1',
    },
    {
      name: 'nothing when they disagree',
      tasks: [checkpoint('a', 'S1')],
      found: [container('b', { agentId: 'S2' })],
      expected: undefined,
    },
    { name: 'nothing on a new node', expected: undefined },
  ])('$name', ({ saved, tasks = [], found = [], expected }) => {
    expect(agentIdOf(saved, tasks, found)).toBe(expected);
  });
});

test('updateUuid is the 16 bytes of a UUID in base64', () => {
  const text = updateUuid({ uuid: () => '00112233-4455-4677-8899-aabbccddeeff' });
  expect(Buffer.from(text, 'base64').toString('hex')).toBe('00112233445546778899aabbccddeeff');
});
