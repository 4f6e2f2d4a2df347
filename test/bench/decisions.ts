import { HierarchicalAllocator } from '../../src/core/allocator/allocator';
import { OfferPool } from '../../src/core/placement/offer-pool';
import { placeBatch, type BatchRequest } from '../../src/core/placement/place-batch';
import { PlacementIndex } from '../../src/core/placement/placement-index';
import { parseResources, ResourceBag } from '../../src/core/records/resources';
import { request, slot } from '../core/placement/support';
import { seededRandom } from '../support/fakes';
import { median, ms, perSecond, timed, type Row } from './harness';

const CONSTRAINTS: readonly string[][][] = [
  [['hostname', 'UNIQUE']],
  [['rack', 'GROUP_BY', '20']],
  [['rack', 'MAX_PER', '50']],
  [['rack', 'LIKE', 'r[0-9]']],
  [['rack', 'UNLIKE', 'r7']],
  [['rack', 'IS', 'r3']],
  [['rack', 'CLUSTER', 'r4']],
  [],
];
const PER_APP = 250;

/** Places apps of every kind of constraint on `agents` agents; placements per second, best of the rounds after a warm-up. */
async function placementRate(agents: number): Promise<number> {
  const rates: number[] = [];
  for (let round = 0; round < 5; round++) {
    const slots = Array.from({ length: agents }, (_, i) =>
      slot(`a${i}`, { cpus: 32, mem: 65_536, attributes: { rack: `r${i % 20}` } }),
    );
    const pool = new OfferPool(slots, { cpus: 1_000, mem: 128_000 });
    const batches = Array.from({ length: 80 }, (_, app): BatchRequest => {
      const launch = request({ constraintRows: [...(CONSTRAINTS[app % CONSTRAINTS.length] ?? [])], ports: ['any'] });
      return {
        request: launch,
        index: new PlacementIndex(launch.constraints),
        instanceIds: Array.from({ length: PER_APP }, (_unused, i) => `${app}-${i}`),
      };
    });
    const { ms: took, result } = await timed(() => placeBatch(batches, pool, seededRandom(round)));
    if (round > 0) rates.push((result.reduce((sum, placed) => sum + placed.length, 0) / took) * 1_000);
  }
  return median(rates);
}

export async function placements(): Promise<Row[]> {
  const sizes = [1_000, 10_000, 50_000];
  const rates: number[] = [];
  for (const agents of sizes) rates.push(await placementRate(agents));
  const slowdown = (rates[0] ?? 0) / (rates[2] ?? 1);
  return [
    ...sizes.map((agents, i): Row => ({
      what: `in-memory placement, all constraints, ${agents.toLocaleString('en')} agents`,
      measured: perSecond(rates[i] ?? 0, 'placements'),
      floor: '',
      goal: '>= 150,000/s',
      met: (rates[i] ?? 0) >= 150_000,
    })),
    {
      what: 'in-memory placement, 1,000 agents against 50,000',
      measured: `${slowdown.toFixed(2)}x slower`,
      floor: '',
      ratio: slowdown,
      goal: '<= 2x',
      met: slowdown <= 2,
    },
  ];
}

/** A full run of the allocator, and one after a single agent changed. */
export async function allocationCycles(): Promise<Row[]> {
  const random = seededRandom(1);
  const full: number[] = [];
  const single: number[] = [];
  const free = ResourceBag.of(parseResources('cpus:8;mem:16384;disk:100000;ports:[31000-32000]'));
  for (let round = 0; round < 4; round++) {
    const allocator = new HierarchicalAllocator({ shuffle: (items) => void items.sort(() => random.next() - 0.5) });
    for (let i = 0; i < 200; i++) allocator.setFramework(`f${i}`, { roles: [`role${i % 20}`] });
    for (let i = 0; i < 10_000; i++) {
      allocator.addAgent(`a${i}`, free);
      allocator.setAgentActive(`a${i}`, true);
    }
    const run = await timed(() => allocator.allocate());
    if (round > 0) full.push(run.ms);
    for (let i = 0; i < 50; i++) {
      const given = run.result[i];
      if (given === undefined) continue;
      allocator.recover(given.frameworkId, given.role, given.agentId, given.resources);
      const one = await timed(() => allocator.allocate());
      if (round > 0) single.push(one.ms);
    }
  }
  return [
    {
      what: 'allocation, 10k agents x 200 frameworks, full',
      measured: ms(median(full)),
      floor: '',
      goal: '<= 20 ms',
      met: median(full) <= 20,
    },
    {
      what: 'allocation, one agent of 10k changed',
      measured: ms(median(single)),
      floor: '',
      goal: '<= 0.1 ms',
      met: median(single) <= 0.1,
    },
  ];
}
