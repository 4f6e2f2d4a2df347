import { parseConstraints } from '../../../src/core/placement/constraints';
import { fits } from '../../../src/core/placement/match';
import { OfferPool } from '../../../src/core/placement/offer-pool';
import { placeBatch, explain } from '../../../src/core/placement/place-batch';
import { PlacementIndex } from '../../../src/core/placement/placement-index';
import { seededRandom } from '../../support/fakes';
import { request, slot } from './support';

const ROWS = [
  [],
  [['hostname', 'UNIQUE']],
  [['rack', 'GROUP_BY']],
  [['rack', 'GROUP_BY', '3']],
  [
    ['rack', 'GROUP_BY'],
    ['hostname', 'GROUP_BY'],
  ],
  [
    ['rack', 'GROUP_BY', '2'],
    ['hostname', 'MAX_PER', '2'],
  ],
  [['rack', 'LIKE', 'r[01]']],
  [['rack', 'UNLIKE', 'r0']],
  [['rack', 'CLUSTER']],
  [['rack', 'CLUSTER', 'r1']],
  [
    ['rack', 'IS', 'r2'],
    ['hostname', 'UNIQUE'],
  ],
  [['hostname', 'MAX_PER', '3']],
];

function randomCase(seed: number) {
  const random = seededRandom(seed);
  const pick = (below: number) => Math.floor(random.next() * below);
  const slots = Array.from({ length: 1 + pick(20) }, (_, at) =>
    slot(`h${at}`, {
      cpus: 1 + pick(6),
      ports: [[31_000, 31_000 + pick(6)]],
      attributes: pick(8) === 0 ? {} : { rack: `r${pick(4)}` },
    }),
  );
  const batches = Array.from({ length: 1 + pick(4) }, (_, app) => {
    const wanted = request({
      need: [1_000, 128_000, 0, 0],
      ports: pick(2) === 0 ? [] : ['any'],
      constraintRows: ROWS[pick(ROWS.length)] ?? [],
    });
    const instanceIds = Array.from({ length: 1 + pick(12) }, (_, at) => `${app}-${at}`);
    return { request: wanted, index: new PlacementIndex(wanted.constraints), instanceIds };
  });
  return { slots, batches, random };
}

describe('placeBatch', () => {
  test.each(Array.from({ length: 400 }, (_, seed) => seed + 1))(
    'seed %i: places all that can be placed, and never against a rule',
    (seed) => {
      const { slots, batches, random } = randomCase(seed);
      const before = slots.map(({ shares }) => shares[0]?.free[0] ?? 0);
      const placed = placeBatch(batches, new OfferPool(slots), random);
      placed.forEach((placements, at) => {
        const batch = batches[at];
        if (batch === undefined) throw new Error('no batch');
        const check = new PlacementIndex(batch.request.constraints);
        for (const { instanceId, slot: target } of placements) {
          expect(check.allows(target.facts)).toBe(true);
          check.place(instanceId, target.facts);
        }
      });
      // Later requests only take away from earlier ones, so what was left over then fits nowhere now.
      batches.forEach((batch, at) => {
        if ((placed[at]?.length ?? 0) === batch.instanceIds.length) return;
        expect(slots.filter((target) => fits(batch.request, batch.index, target))).toEqual([]);
        expect(explain(batch, new OfferPool(slots)).map(({ slot: target }) => target)).toEqual(slots);
      });
      const taken = placed.flat();
      slots.forEach((target, at) => {
        const here = taken.filter((placement) => placement.slot === target);
        expect(target.shares[0]?.free[0]).toBe((before[at] ?? 0) - here.length * 1_000);
        expect(target.shares[0]?.free[0]).toBeGreaterThanOrEqual(0);
        const ports = here.flatMap(({ match }) => match.hostPorts);
        expect(new Set(ports).size).toBe(ports.length);
      });
    },
  );

  test('spreads small apps over the agents', () => {
    const slots = Array.from({ length: 10 }, (_, at) => slot(`h${at}`));
    const wanted = request();
    const batches = [1, 2, 3, 4, 5].map((app) => ({
      request: wanted,
      index: new PlacementIndex([]),
      instanceIds: [`${app}a`, `${app}b`],
    }));
    const hosts = placeBatch(batches, new OfferPool(slots), seededRandom(1))
      .flat()
      .map(({ slot: target }) => target.agentId);
    expect(new Set(hosts).size).toBe(10);
  });

  test('an app whose first constraint names one rack looks at that rack only', () => {
    const slots = Array.from({ length: 100 }, (_, at) => slot(`h${at}`, { attributes: { rack: `r${at}` } }));
    const constraints = parseConstraints([['rack', 'IS', 'r42']]);
    const index = new PlacementIndex(constraints);
    let looks = 0;
    const allows = index.allows.bind(index);
    index.allows = (facts) => {
      looks++;
      return allows(facts);
    };
    const batch = { request: { ...request(), constraints }, index, instanceIds: ['1', '2'] };
    const [placed] = placeBatch([batch], new OfferPool(slots), seededRandom(1));
    expect(placed?.map(({ slot: target }) => target.agentId)).toEqual(['h42', 'h42']);
    expect(looks).toBe(2);
  });
});
