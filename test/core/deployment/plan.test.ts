import { DependencyGraph } from '../../../src/core/deployment/dependency-graph';
import { differenceOf, planSteps, type AppTransition } from '../../../src/core/deployment/plan';
import { appSpecSchema, type AppSpecInput } from '../../../src/core/records/app';

const spec = (id: string, more: Partial<AppSpecInput> = {}) => appSpecSchema.parse({ id, ...more });

describe('differenceOf', () => {
  const base = spec('/web', { labels: { a: '1', b: '2' } });
  test.each([
    { name: 'nothing', to: { ...base }, expected: 'none' },
    { name: 'the order of keys', to: { ...base, labels: { b: '2', a: '1' } }, expected: 'none' },
    {
      name: 'what the server sets',
      to: { ...base, version: 'x', versionInfo: { lastScalingAt: '', lastConfigChangeAt: '' } },
      expected: 'none',
    },
    { name: 'the count', to: { ...base, instances: 7 }, expected: 'scale' },
    { name: 'a label', to: { ...base, labels: {} }, expected: 'config' },
    { name: 'count and label', to: { ...base, instances: 7, labels: {} }, expected: 'config' },
    {
      name: 'the upgrade strategy',
      to: { ...base, upgradeStrategy: { minimumHealthCapacity: 0, maximumOverCapacity: 1 } },
      expected: 'config',
    },
  ])('$name is $expected', ({ to, expected }) => {
    expect(differenceOf(base, to)).toBe(expected);
  });
});

describe('planSteps', () => {
  const a = spec('/a');
  const b = spec('/b', { dependencies: ['/a'] });
  const graph = new DependencyGraph(
    new Map([
      ['/a', []],
      ['/b', ['/a']],
    ]),
  );
  const shown = (changes: AppTransition[]) =>
    planSteps(changes, graph).map(({ actions }) =>
      actions.map(({ action, app }) => `${action.replace('Application', '')} ${app}`),
    );

  test.each<{ name: string; changes: AppTransition[]; expected: string[][] }>([
    {
      name: 'new apps: announced, then by dependency',
      changes: [
        { id: '/b', to: b },
        { id: '/a', to: a },
      ],
      expected: [['Start /b', 'Start /a'], ['Scale /a'], ['Scale /b']],
    },
    { name: 'removed', changes: [{ id: '/a', from: a }], expected: [['Stop /a']] },
    {
      name: 'stop, start, change in this order',
      changes: [
        { id: '/c', to: spec('/c') },
        { id: '/a', from: a },
        { id: '/b', from: b, to: { ...b, cmd: 'x' } },
      ],
      expected: [['Stop /a'], ['Start /c'], ['Scale /c'], ['Restart /b']],
    },
    { name: 'scaled', changes: [{ id: '/a', from: a, to: { ...a, instances: 9 } }], expected: [['Scale /a']] },
    {
      name: 'changed and stopped at once: only scaled',
      changes: [{ id: '/a', from: a, to: { ...a, cmd: 'x', instances: 0 } }],
      expected: [['Scale /a']],
    },
    { name: 'restarted', changes: [{ id: '/a', from: a, to: a, restart: true }], expected: [['Restart /a']] },
    { name: 'unchanged', changes: [{ id: '/a', from: a, to: a }], expected: [] },
  ])('$name', ({ changes, expected }) => {
    expect(shown(changes)).toEqual(expected);
  });
});

describe('DependencyGraph', () => {
  const graph = (edges: Record<string, string[]>) => new DependencyGraph(new Map(Object.entries(edges)));
  test.each([
    { name: 'none', edges: { '/a': [] }, id: '/a', depth: 0 },
    { name: 'the longest way counts', edges: { '/a': [], '/b': ['/a'], '/c': ['/a', '/b'] }, id: '/c', depth: 2 },
    {
      name: 'a group stands for what is in it',
      edges: { '/g/a': [], '/g/b': ['/g/a'], '/c': ['/g'] },
      id: '/c',
      depth: 2,
    },
    { name: 'unknown ones do not count', edges: { '/a': ['/gone'] }, id: '/a', depth: 0 },
    { name: 'a cycle', edges: { '/a': ['/b'], '/b': ['/a'] }, id: '/a', depth: undefined },
    { name: 'a cycle further down', edges: { '/a': ['/b'], '/b': ['/c'], '/c': ['/b'] }, id: '/a', depth: undefined },
    { name: 'itself', edges: { '/a': ['/a'] }, id: '/a', depth: undefined },
    {
      name: 'a diamond is no cycle',
      edges: { '/a': ['/b', '/c'], '/b': ['/d'], '/c': ['/d'], '/d': [] },
      id: '/a',
      depth: 2,
    },
  ])('$name', ({ edges, id, depth }) => {
    expect(graph(edges as unknown as Record<string, string[]>).depthOf(id)).toBe(depth);
  });

  test('a chain of 20,000 does not overflow the stack', () => {
    const edges = new Map(Array.from({ length: 20_000 }, (_, i) => [`/a${i}`, i === 0 ? [] : [`/a${i - 1}`]] as const));
    expect(new DependencyGraph(edges).depthOf('/a19999')).toBe(19_999);
  });
});
