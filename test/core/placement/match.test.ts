import { match, portWishes, refusals, type LaunchRequest } from '../../../src/core/placement/match';
import { PlacementIndex } from '../../../src/core/placement/placement-index';
import { funnel, REASONS, type Reason } from '../../../src/core/placement/reasons';
import { appSpecSchema } from '../../../src/core/records/app';
import { seededRandom } from '../../support/fakes';
import { request, slot, type OfferScript } from './support';

const random = seededRandom(1);

describe('refusals', () => {
  test.each<{ name: string; want?: Partial<LaunchRequest>; offer?: OfferScript; why: Reason[] }>([
    { name: 'fits', why: [] },
    { name: 'fits exactly', want: { need: [4_000, 4_096_000, 1_000_000, 0] }, why: [] },
    { name: 'cpus', want: { need: [4_001, 0, 0, 0] }, why: ['InsufficientCpus'] },
    { name: 'memory', want: { need: [0, 4_097_000, 0, 0] }, why: ['InsufficientMemory'] },
    { name: 'disk', want: { need: [0, 0, 1_001_000, 0] }, why: ['InsufficientDisk'] },
    { name: 'gpus', want: { need: [0, 0, 0, 1_000] }, why: ['InsufficientGpus'] },
    { name: 'a fixed port outside of the range', want: { ports: [80] }, why: ['InsufficientPorts'] },
    {
      name: 'more ports than there are',
      want: { ports: ['any', 'any', 31_000] },
      offer: { ports: [[31_000, 31_001]] },
      why: ['InsufficientPorts'],
    },
    {
      name: 'exactly enough ports',
      want: { ports: ['any', 31_000, 'none'] },
      offer: { ports: [[31_000, 31_001]] },
      why: [],
    },
    {
      name: 'one fixed port for two protocols',
      want: { ports: [31_000, 31_000] },
      offer: { ports: [[31_000, 31_000]] },
      why: [],
    },
    { name: 'offer of another role', offer: { role: 'dev' }, why: ['UnfulfilledRole'] },
    {
      name: 'no share of an accepted role',
      want: { acceptedRoles: new Set(['dev']), role: '*' },
      why: ['UnfulfilledRole', 'InsufficientCpus', 'InsufficientMemory'],
    },
    {
      name: 'only the reserved part may be used',
      want: { acceptedRoles: new Set(['dev']), role: 'dev', need: [2_000, 0, 0, 0] },
      offer: { role: 'dev', reservedFor: 'dev', reservedCpus: 1 },
      why: ['InsufficientCpus'],
    },
    {
      name: 'reserved and unreserved add up',
      want: { role: 'dev', need: [5_000, 0, 0, 0] },
      offer: { role: 'dev', reservedFor: 'dev', reservedCpus: 1 },
      why: [],
    },
    { name: 'no containerizer', offer: { containerizers: ['mesos'] }, why: ['UnfulfilledConstraint'] },
    {
      name: 'everything at once, in funnel order',
      want: { need: [9_000, 9_999_000, 0, 0], ports: [1] },
      offer: { role: 'x', containerizers: ['mesos'] },
      why: ['UnfulfilledRole', 'UnfulfilledConstraint', 'InsufficientCpus', 'InsufficientMemory', 'InsufficientPorts'],
    },
  ])('$name', ({ want, offer, why }) => {
    const wanted = request(want);
    const index = new PlacementIndex(wanted.constraints);
    const target = slot('a', offer);
    expect(refusals(wanted, index, target)).toEqual(why);
    expect(match(wanted, index, target, 'i', random).fits).toBe(why.length === 0);
  });
});

describe('match', () => {
  test('takes reserved resources first and says whose they are', () => {
    const wanted = request({ role: 'dev', need: [1_500, 0, 0, 0] });
    const verdict = match(wanted, new PlacementIndex([]), slot('a', { role: 'dev', reservedFor: 'dev' }), 'i', random);
    expect(verdict.fits && verdict.match.resources).toEqual([
      { name: 'cpus', type: 'SCALAR', scalar: { value: 1 }, role: 'dev' },
      { name: 'cpus', type: 'SCALAR', scalar: { value: 0.5 }, role: '*' },
    ]);
  });

  test('leaves less in the slot until nothing fits; no port is given twice', () => {
    const wanted = request({ need: [100, 1_000, 0, 0], ports: ['any', 'any'] });
    const target = slot('a', {
      ports: [
        [1, 3],
        [10, 12],
      ],
    });
    const ports: (number | undefined)[] = [];
    for (let i = 0; i < 3; i++) {
      const verdict = match(wanted, new PlacementIndex([]), target, String(i), random);
      if (verdict.fits) ports.push(...verdict.match.hostPorts);
    }
    expect(new Set(ports)).toEqual(new Set([1, 2, 3, 10, 11, 12]));
    expect(match(wanted, new PlacementIndex([]), target, 'x', random)).toEqual({
      fits: false,
      why: ['InsufficientPorts'],
    });
  });

  test('a random port never takes one that is asked for by number', () => {
    for (let seed = 1; seed < 50; seed++) {
      const verdict = match(
        request({ ports: ['any', 5] }),
        new PlacementIndex([]),
        slot('a', { ports: [[5, 6]] }),
        'i',
        seededRandom(seed),
      );
      expect(verdict.fits && verdict.match.hostPorts).toEqual([6, 5]);
    }
  });
});

describe('portWishes', () => {
  const wishes = (more: object) => portWishes(appSpecSchema.parse({ id: '/a', ...more }));
  test.each([
    { name: 'host: any', spec: { portDefinitions: [{ port: 9000 }, {}] }, expected: ['any', 'any'] },
    {
      name: 'host with requirePorts',
      spec: { requirePorts: true, portDefinitions: [{ port: 9000 }, {}] },
      expected: [9000, 'any'],
    },
    {
      name: 'bridge',
      spec: {
        networks: [{ mode: 'container/bridge' }],
        container: { portMappings: [{ hostPort: 0 }, { hostPort: 31_000 }, {}] },
      },
      expected: ['any', 31_000, 'any'],
    },
    {
      name: 'container network',
      spec: { networks: [{ name: 'n' }], container: { portMappings: [{ containerPort: 80 }, { hostPort: 0 }] } },
      expected: ['none', 'any'],
    },
  ])('$name', ({ spec, expected }) => {
    expect(wishes(spec)).toEqual(expected);
  });
});

test('the funnel holds every reason and falls', () => {
  const rows = funnel(
    10,
    new Map<Reason, number>([
      ['UnfulfilledRole', 3],
      ['InsufficientCpus', 2],
    ]),
  );
  expect(rows.map(({ reason }) => reason)).toEqual([...REASONS]);
  expect(rows.slice(0, 6).map(({ processed, declined }) => [processed, declined])).toEqual([
    [10, 3],
    [7, 0],
    [7, 0],
    [7, 0],
    [7, 2],
    [5, 0],
  ]);
});
