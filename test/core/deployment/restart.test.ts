import { capacityBounds, planRestart, type Member, type RestartInput } from '../../../src/core/deployment/restart';
import { seededRandom } from '../../support/fakes';

const up = (id: string): Member => ({ id, serving: true, broken: false });
const broken = (id: string): Member => ({ id, serving: false, broken: true });
const doubtful = (id: string): Member => ({ id, serving: false, broken: false });
const strategy = (minimumHealthCapacity: number, maximumOverCapacity: number) => ({
  minimumHealthCapacity,
  maximumOverCapacity,
});
const input = (more: Partial<RestartInput>): RestartInput => ({
  wanted: 3,
  strategy: strategy(1, 1),
  old: [up('o1'), up('o2'), up('o3')],
  fresh: [],
  stopping: 0,
  resident: false,
  ...more,
});

describe('capacityBounds', () => {
  test.each([
    { name: 'rounds up and down', wanted: 5, s: strategy(0.5, 0.5), serving: 5, resident: false, expected: [3, 7] },
    {
      name: 'is not moved by binary fractions',
      wanted: 10,
      s: strategy(0.7, 0.1),
      serving: 9,
      resident: false,
      expected: [7, 11],
    },
    { name: 'equal bounds: one more', wanted: 4, s: strategy(1, 0), serving: 4, resident: false, expected: [4, 5] },
    {
      name: 'equal bounds, resident: one less',
      wanted: 4,
      s: strategy(1, 0),
      serving: 4,
      resident: true,
      expected: [3, 4],
    },
    {
      name: 'equal bounds but somebody is down: they hold',
      wanted: 4,
      s: strategy(1, 0),
      serving: 3,
      resident: false,
      expected: [4, 4],
    },
  ])('$name', ({ wanted, s, serving, resident, expected }) => {
    const { min, max } = capacityBounds(wanted, s, serving, resident);
    expect([min, max]).toEqual(expected);
  });
});

describe('planRestart', () => {
  test.each<{ name: string; state: Partial<RestartInput>; kill: string[]; start: number }>([
    { name: 'default: all new ones start, no old one goes yet', state: {}, kill: [], start: 3 },
    {
      name: 'each new one that serves lets one old one go',
      state: { fresh: [up('n1'), doubtful('n2'), doubtful('n3')] },
      kill: ['o1'],
      start: 0,
    },
    { name: 'no room: make some first', state: { strategy: strategy(0.5, 0) }, kill: ['o1'], start: 0 },
    {
      name: 'what is being stopped still takes its place',
      state: { strategy: strategy(0.5, 0), old: [up('o2'), up('o3')], stopping: 1 },
      kill: [],
      start: 0,
    },
    {
      name: 'then the place is taken',
      state: { strategy: strategy(0.5, 0), old: [up('o2'), up('o3')] },
      kill: [],
      start: 1,
    },
    {
      name: 'unhealthy old ones go first and free',
      state: { old: [broken('o1'), up('o2'), up('o3')], strategy: strategy(1, 0) },
      kill: ['o1'],
      start: 0,
    },
    {
      name: 'a wholly broken version is replaced at once',
      state: { old: [broken('o1'), broken('o2'), broken('o3')], strategy: strategy(1, 0) },
      kill: ['o1', 'o2', 'o3'],
      start: 0,
    },
    {
      name: 'doubtful ones go only for room',
      state: { old: [doubtful('o1'), up('o2'), up('o3')] },
      kill: [],
      start: 3,
    },
    {
      name: 'doubtful ones give room when it is needed',
      state: { old: [doubtful('o1'), up('o2'), up('o3')], strategy: strategy(1, 0) },
      kill: ['o1'],
      start: 0,
    },
    { name: 'equal bounds: one above', state: { strategy: strategy(1, 0) }, kill: [], start: 1 },
    {
      name: 'equal bounds, resident: one below',
      state: { strategy: strategy(1, 0), resident: true },
      kill: ['o1'],
      start: 0,
    },
    {
      name: 'all new ones serve: the rest goes',
      state: { fresh: [up('n1'), up('n2'), up('n3')] },
      kill: ['o1', 'o2', 'o3'],
      start: 0,
    },
    {
      name: 'single instance, 0/0: down before up',
      state: { wanted: 1, strategy: strategy(0, 0), old: [up('o1')] },
      kill: ['o1'],
      start: 0,
    },
    { name: 'fewer wanted than there are', state: { wanted: 1 }, kill: ['o1', 'o2'], start: 0 },
    { name: 'nothing left to do', state: { old: [], fresh: [up('n1'), up('n2'), up('n3')] }, kill: [], start: 0 },
  ])('$name', ({ state, kill, start }) => {
    expect(planRestart(input(state))).toEqual({ kill, start });
  });

  test.each(Array.from({ length: 300 }, (_, seed) => seed + 1))(
    'seed %i: never below the minimum, never above the maximum, and it ends',
    (seed) => {
      const world = new Rolling(seed);
      for (let step = 0; step < 300; step++) {
        world.decide();
        world.trouble();
      }
      world.calm();
      for (let step = 0; step < 200 && !world.isDone(); step++) {
        world.decide();
        world.progress();
      }
      expect(world.isDone()).toBe(true);
    },
  );
});

/** expect() at every step would take most of the test's time. */
function hold(condition: boolean, message: string): void {
  if (!condition) throw new Error(message);
}

/** A rolling replacement under random health: instances die, fall ill, get well, stop late. */
class Rolling {
  private readonly random;
  private readonly wanted;
  private readonly strategy;
  private readonly resident;
  private old: Member[];
  private fresh: Member[] = [];
  private stopping = 0;
  private counter = 0;

  constructor(seed: number) {
    this.random = seededRandom(seed);
    this.wanted = 1 + this.pick(12);
    this.strategy = strategy(this.pick(5) / 4, this.pick(5) / 4);
    this.resident = this.pick(4) === 0;
    this.old = Array.from({ length: 1 + this.pick(14) }, (_, at) => up(`o${at}`));
  }

  private pick(below: number): number {
    return Math.floor(this.random.next() * below);
  }

  private serving(): number {
    return [...this.old, ...this.fresh].filter(({ serving }) => serving).length;
  }

  decide(): void {
    const before = this.serving();
    const total = this.old.length + this.fresh.length + this.stopping;
    const { min, max } = capacityBounds(this.wanted, this.strategy, before, this.resident);
    const plan = planRestart({
      old: this.old,
      fresh: this.fresh,
      stopping: this.stopping,
      wanted: this.wanted,
      strategy: this.strategy,
      resident: this.resident,
    });
    const kill = new Set(plan.kill);
    this.stopping += kill.size;
    this.old = this.old.filter(({ id }) => !kill.has(id));
    for (let i = 0; i < plan.start; i++) this.fresh.push({ id: `n${this.counter++}`, serving: false, broken: true });
    hold(this.serving() >= Math.min(before, min), `serves ${this.serving()}, ${before} before, at least ${min}`);
    const now = this.old.length + this.fresh.length + this.stopping;
    hold(now <= Math.max(total, max), `${now} hold a place, ${total} before, at most ${max}`);
    hold(this.fresh.length <= this.wanted, `${this.fresh.length} new ones, ${this.wanted} wanted`);
  }

  trouble(): void {
    const change = (member: Member): Member[] => {
      const chance = this.pick(20);
      if (chance === 0) return [];
      if (chance < 3) return [broken(member.id)];
      if (chance < 5) return [doubtful(member.id)];
      return chance < 10 ? [up(member.id)] : [member];
    };
    this.old = this.old.flatMap(change);
    this.fresh = this.fresh.flatMap(change);
    if (this.pick(2) === 0) this.stopping = Math.max(0, this.stopping - 1);
  }

  calm(): void {
    this.fresh = this.fresh.map(({ id }) => up(id));
  }

  progress(): void {
    this.stopping = Math.max(0, this.stopping - 1);
    const next = this.fresh.findIndex(({ serving }) => !serving);
    if (next !== -1) this.fresh[next] = up(this.fresh[next]?.id ?? '');
  }

  isDone(): boolean {
    return this.old.length === 0 && this.fresh.length === this.wanted && this.fresh.every(({ serving }) => serving);
  }
}
