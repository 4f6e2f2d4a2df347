import { HierarchicalAllocator, refuseMs, type AllocatorOptions } from '../../../src/core/allocator/allocator';
import { formatResources, parseResources, ResourceBag } from '../../../src/core/records/resources';
import { seededRandom } from '../../support/fakes';

const bag = (text: string) => ResourceBag.of(parseResources(text));
const inOrder = { shuffle: () => undefined };

function build(options: Partial<AllocatorOptions> = {}) {
  const allocator = new HierarchicalAllocator({ ...inOrder, ...options });
  return {
    allocator,
    run: () =>
      allocator
        .allocate()
        .map(
          (each) => `${each.agentId} ${each.frameworkId} ${each.role} ${formatResources(each.resources.toResources())}`,
        ),
  };
}

describe('one run', () => {
  test('the whole free part of an agent goes to one framework, the poorest first', () => {
    const { allocator, run } = build();
    allocator.setFramework('f1', { roles: ['web'] });
    allocator.setFramework('f2', { roles: ['web'] });
    for (const id of ['a1', 'a2', 'a3']) allocator.addAgent(id, bag('cpus:4;mem:100;ports:[1-9]'));
    expect(run()).toEqual([
      'a1 f1 web cpus:4;mem:100;ports:[1-9]',
      'a2 f2 web cpus:4;mem:100;ports:[1-9]',
      'a3 f1 web cpus:4;mem:100;ports:[1-9]',
    ]);
    expect(run()).toEqual([]);
  });

  test('roles are served before frameworks: one role with two frameworks counts once', () => {
    const { allocator, run } = build();
    allocator.setFramework('f1', { roles: ['a'] });
    allocator.setFramework('f2', { roles: ['a'] });
    allocator.setFramework('f3', { roles: ['b'] });
    for (const id of ['a1', 'a2', 'a3', 'a4']) allocator.addAgent(id, bag('cpus:1;mem:100'));
    expect(run().map((line) => line.split(' ')[1])).toEqual(['f1', 'f3', 'f2', 'f3']);
  });

  test('weights', () => {
    const { allocator, run } = build();
    allocator.setWeight('b', 2);
    allocator.setFramework('f1', { roles: ['a'] });
    allocator.setFramework('f2', { roles: ['b'] });
    for (const id of ['1', '2', '3', '4', '5', '6']) allocator.addAgent(id, bag('cpus:1;mem:100'));
    const owners = run().map((line) => line.split(' ')[2]);
    expect(owners.filter((role) => role === 'b')).toHaveLength(4);
  });

  test.each([
    ['cpus:0.01;disk:5', true],
    ['mem:32', true],
    ['cpus:0.009;mem:31;ports:[1-100]', false],
  ])('an offer of %s is made: %s (Mesos: min_allocatable_resources)', (text, made) => {
    const { allocator, run } = build();
    allocator.setFramework('f', { roles: ['*'] });
    allocator.addAgent('a', bag(text));
    expect(run().length).toBe(made ? 1 : 0);
  });

  test('a framework may set its own minimum per role', () => {
    const { allocator, run } = build();
    allocator.setFramework('big', { roles: ['a'], minAllocatable: { a: [{ cpus: 8 }] } });
    allocator.setFramework('any', { roles: ['b'], minAllocatable: { b: [] } });
    allocator.addAgent('crumbs', bag('disk:1'));
    allocator.addAgent('small', bag('cpus:4;mem:10'));
    expect(run().map((line) => line.slice(0, 10))).toEqual(['crumbs any', 'small any ']);
  });

  test('agents with gpus are kept for those who know about them', () => {
    const { allocator, run } = build();
    allocator.setFramework('plain', { roles: ['*'] });
    allocator.addAgent('g', bag('cpus:4;mem:100;gpus:1'));
    expect(run()).toEqual([]);
    allocator.setFramework('gpu', { roles: ['*'], capabilities: ['GPU_RESOURCES'] });
    expect(run()).toEqual(['g gpu * cpus:4;mem:100;gpus:1']);
  });

  test('only agents that changed are looked at', () => {
    const { allocator, run } = build();
    allocator.addAgent('a', bag('cpus:4;mem:100'));
    allocator.addAgent('b', bag('cpus:4;mem:100'));
    allocator.setFramework('f', { roles: ['*'] });
    run();
    allocator.recover('f', '*', 'b', bag('cpus:1'));
    expect(allocator.hasCandidates).toBe(true);
    expect(run()).toEqual(['b f * cpus:1']);
  });

  test('inactive agents and frameworks get nothing; what runs stays counted', () => {
    const { allocator, run } = build();
    allocator.addAgent('a', bag('cpus:4;mem:100'), [{ frameworkId: 'f', role: '*', resources: bag('cpus:3') }]);
    allocator.setFramework('f', { roles: ['*'] });
    allocator.setAgentActive('a', false);
    expect(run()).toEqual([]);
    allocator.setAgentActive('a', true);
    allocator.deactivateFramework('f');
    expect(run()).toEqual([]);
    allocator.setFramework('f', { roles: ['*'] });
    expect(run()).toEqual(['a f * cpus:1;mem:100']);
    expect(allocator.roleUsage()).toMatchObject([{ role: '*', allocated: { cpus: 4, mem: 100 } }]);
  });

  test('an agent that shrinks below what is in use offers nothing until enough has ended', () => {
    const { allocator, run } = build();
    allocator.setFramework('f', { roles: ['*'] });
    allocator.addAgent('a', bag('cpus:4;mem:100'), [{ frameworkId: 'f', role: '*', resources: bag('cpus:3;mem:50') }]);
    allocator.updateAgent('a', bag('cpus:2;mem:40'));
    expect(run()).toEqual([]);
    allocator.recover('f', '*', 'a', bag('cpus:2;mem:20'));
    expect(run()).toEqual(['a f * cpus:1;mem:10']);
  });

  test('a removed framework is forgotten when its last task has ended, its role too', () => {
    const { allocator } = build();
    allocator.addAgent('a', bag('cpus:4;mem:100'), [{ frameworkId: 'f', role: 'r', resources: bag('cpus:1') }]);
    allocator.setFramework('f', { roles: ['r'] });
    allocator.removeFramework('f');
    expect(allocator.roleUsage()).toHaveLength(1);
    allocator.recover('f', 'r', 'a', bag('cpus:1'));
    expect(allocator.roleUsage()).toEqual([]);
    allocator.removeAgent('a');
    expect(allocator.capacity()).toMatchObject({ cpus: 0, mem: 0 });
  });
});

describe('reservations', () => {
  test.each([
    ['a', 'cpus:1;mem:100;cpus(a):2'],
    ['a/b', 'cpus:1;mem:100;cpus(a):2;cpus(a/b):4'],
    ['c', 'cpus:1;mem:100'],
  ])('role %s is offered its own and its ancestors: %s', (role, expected) => {
    const { allocator, run } = build();
    allocator.setFramework('f', { roles: [role] });
    allocator.addAgent('x', bag('cpus:1;mem:100;cpus(a):2;cpus(a/b):4'));
    expect(run()).toEqual([`x f ${role} ${expected}`]);
  });

  test('what is reserved for another stays, and its owner gets it in the same run', () => {
    const { allocator, run } = build();
    allocator.setFramework('f1', { roles: ['a'] });
    allocator.setFramework('f2', { roles: ['b'] });
    allocator.addAgent('x', bag('cpus:1;mem:100;cpus(b):2'));
    expect(run()).toEqual(['x f1 a cpus:1;mem:100', 'x f2 b cpus(b):2']);
  });

  test('refined reservations only go to frameworks that understand them', () => {
    const refined = ResourceBag.of([
      { name: 'cpus', type: 'SCALAR', scalar: { value: 2 }, reservations: [{ role: 'a' }, { role: 'a/b' }] },
    ]);
    const { allocator, run } = build();
    allocator.setFramework('old', { roles: ['a/b'] });
    allocator.addAgent('x', refined);
    expect(run()).toEqual([]);
    allocator.setFramework('new', { roles: ['a/b'], capabilities: ['RESERVATION_REFINEMENT'] });
    expect(run()).toEqual(['x new a/b cpus(a/b):2']);
  });
});

describe('decline filters', () => {
  function declined(refused: string) {
    const built = build();
    const { allocator } = built;
    allocator.addAgent('a', bag('cpus:4;mem:100'));
    allocator.setFramework('f', { roles: ['r', 's'] });
    allocator.suppress('f', ['s']);
    expect(built.run()).toEqual(['a f r cpus:4;mem:100']);
    allocator.refuse('f', 'r', 'a', bag(refused), 5_000);
    allocator.recover('f', 'r', 'a', bag('cpus:4;mem:100'));
    return built;
  }

  test('hide what is contained in the refused resources, until they end', () => {
    const { allocator, run } = declined('cpus:4;mem:100');
    expect(run()).toEqual([]);
    expect(allocator.tick(4_999)).toBe(false);
    expect(allocator.tick(5_000)).toBe(true);
    expect(run()).toEqual(['a f r cpus:4;mem:100']);
    expect(allocator.filterCount()).toBe(0);
  });

  test('do not hide more than was refused', () => {
    const { run } = declined('cpus:3;mem:100');
    expect(run()).toEqual(['a f r cpus:4;mem:100']);
  });

  test('hold for one role and one agent only', () => {
    const { allocator, run } = declined('cpus:4;mem:100');
    allocator.addAgent('b', bag('cpus:1;mem:50'));
    expect(run()).toEqual(['b f r cpus:1;mem:50']);
    allocator.revive('f', ['s']);
    expect(run()).toEqual(['a f s cpus:4;mem:100']);
  });

  test('others are offered what one has refused', () => {
    const { allocator, run } = declined('cpus:4;mem:100');
    allocator.setFramework('g', { roles: ['r'] });
    expect(run()).toEqual(['a g r cpus:4;mem:100']);
  });

  test('REVIVE makes them void, for the given roles', () => {
    const { allocator, run } = declined('cpus:4;mem:100');
    expect(run()).toEqual([]);
    allocator.revive('f', ['r']);
    expect(run()).toEqual(['a f r cpus:4;mem:100']);
  });

  test('a framework that disconnects loses them', () => {
    const { allocator, run } = declined('cpus:4;mem:100');
    allocator.deactivateFramework('f');
    allocator.setFramework('f', { roles: ['r'] });
    expect(run()).toEqual(['a f r cpus:4;mem:100']);
  });

  test('SUPPRESS only stops offers, REVIVE without roles wakes all', () => {
    const { allocator, run } = build();
    allocator.addAgent('a', bag('cpus:4;mem:100'));
    allocator.setFramework('f', { roles: ['r'] });
    allocator.suppress('f');
    expect(run()).toEqual([]);
    allocator.revive('f');
    expect(run()).toEqual(['a f r cpus:4;mem:100']);
  });

  test('a smaller filter is replaced by one that covers it for longer', () => {
    const { allocator } = declined('cpus:4;mem:100');
    for (let until = 6_000; until < 6_100; until++) allocator.refuse('f', 'r', 'a', bag('cpus:4;mem:100'), until);
    expect(allocator.filterCount()).toBe(1);
  });

  test('without filter the agent waits for the tick', () => {
    const { allocator, run } = build();
    allocator.addAgent('a', bag('cpus:4;mem:100'));
    allocator.setFramework('f', { roles: ['r'] });
    run();
    allocator.recover('f', 'r', 'a', bag('cpus:4;mem:100'), 'later');
    expect(run()).toEqual([]);
    allocator.tick(0);
    expect(run()).toHaveLength(1);
  });

  test.each([
    [undefined, 5_000],
    [-1, 5_000],
    [0, 0],
    [0.2, 1_000],
    [60, 60_000],
    [1e12, 31_536_000_000],
  ])('refuse_seconds %p lasts %p ms', (seconds, ms) => expect(refuseMs(seconds, 1_000)).toBe(ms));
});

describe('quota', () => {
  test('guarantees come first and leave headroom for those that are not met', () => {
    const { allocator, run } = build();
    allocator.setQuota('prod', { guarantees: { cpus: 4, mem: 400 }, limits: {} });
    allocator.setFramework('dev', { roles: ['dev'] });
    for (const id of ['a1', 'a2', 'a3']) allocator.addAgent(id, bag('cpus:2;mem:200'));
    // prod has nobody yet: 4 cpus are kept back for it.
    expect(run()).toEqual(['a1 dev dev cpus:2;mem:200']);
    allocator.setFramework('p', { roles: ['prod'] });
    expect(run()).toEqual(['a2 p prod cpus:2;mem:200', 'a3 p prod cpus:2;mem:200']);
  });

  test('a limit cuts offers, also those of children', () => {
    const { allocator, run } = build();
    allocator.setQuota('r', { guarantees: {}, limits: { cpus: 3 } });
    allocator.setFramework('f', { roles: ['r/child'] });
    allocator.addAgent('a1', bag('cpus:2;mem:100'));
    allocator.addAgent('a2', bag('cpus:2;mem:100'));
    expect(run()).toEqual(['a1 f r/child cpus:2;mem:100', 'a2 f r/child cpus:1;mem:100']);
    allocator.addAgent('a3', bag('cpus:2;mem:20'));
    expect(run()).toEqual([]);
  });

  test('reservations of the subtree count as consumed', () => {
    const { allocator, run } = build();
    allocator.setQuota('r', { guarantees: { cpus: 2 }, limits: { cpus: 2 } });
    allocator.setFramework('f', { roles: ['r'] });
    allocator.addAgent('a', bag('cpus:4;mem:100;cpus(r):2'));
    expect(run()).toEqual(['a f r mem:100;cpus(r):2']);
  });

  test('a guaranteed offer has no more than the guarantee and what can be spared', () => {
    const { allocator, run } = build();
    allocator.setQuota('x', { guarantees: { cpus: 3, mem: 32 }, limits: {} });
    allocator.setQuota('y', { guarantees: { cpus: 2, mem: 32 }, limits: {} });
    allocator.setFramework('f', { roles: ['x'] });
    allocator.addAgent('a', bag('cpus:6;mem:100'));
    expect(run()).toEqual(['a f x cpus:4;mem:68']);
    expect(formatResources(allocator.freeOf('a').toResources())).toBe('cpus:2;mem:32');
  });

  test('without quota nothing is held back', () => {
    const { allocator, run } = build();
    allocator.setQuota('prod', { guarantees: { cpus: 4 }, limits: {} });
    allocator.setQuota('prod', undefined);
    allocator.setFramework('dev', { roles: ['dev'] });
    allocator.addAgent('a', bag('cpus:2;mem:200'));
    expect(run()).toHaveLength(1);
  });
});

describe('never more than there is', () => {
  const SEEDS = Array.from({ length: 12 }, (_, index) => index + 1);

  test.each(SEEDS)('seed %i: thousands of random steps', (seed) => {
    const random = seededRandom(seed);
    const pick = <T>(items: readonly T[]): T | undefined => items[Math.floor(random.next() * items.length)];
    const shuffle = (items: unknown[]) => void items.sort(() => random.next() - 0.5);
    const { allocator } = build({ shuffle });
    const totals = new Map<string, ResourceBag>();
    const frameworks = ['f0', 'f1', 'f2', 'f3'];
    const roles = ['a', 'a/b', 'c', '*'];
    const held: { agentId: string; frameworkId: string; role: string; resources: ResourceBag }[] = [];
    let now = 0;

    const steps: Record<string, () => void> = {
      addAgent: () => {
        const id = `agent${totals.size}`;
        const total = bag(
          `cpus:${1 + Math.floor(random.next() * 8)};mem:${Math.floor(random.next() * 500)};ports:[1-20];cpus(a):1.5;mem(c):40`,
        );
        totals.set(id, total);
        allocator.addAgent(id, total);
      },
      framework: () =>
        allocator.setFramework(pick(frameworks) ?? '', { roles: roles.filter(() => random.next() < 0.6) }),
      leave: () => allocator.deactivateFramework(pick(frameworks) ?? ''),
      remove: () => allocator.removeFramework(pick(frameworks) ?? ''),
      revive: () => allocator.revive(pick(frameworks) ?? ''),
      suppress: () => allocator.suppress(pick(frameworks) ?? '', [pick(roles) ?? '']),
      quota: () =>
        allocator.setQuota(pick(['a', 'c']) ?? '', {
          guarantees: { cpus: Math.floor(random.next() * 6) },
          limits: random.next() < 0.5 ? {} : { cpus: 10, mem: 300 },
        }),
      weight: () => allocator.setWeight(pick(roles) ?? '', 0.5 + random.next() * 4),
      tick: () => void allocator.tick((now += 1_000)),
      giveBack: () => {
        const index = Math.floor(random.next() * held.length);
        const part = held[index];
        if (part === undefined) return;
        held.splice(index, 1);
        const { frameworkId, role, agentId, resources } = part;
        if (random.next() < 0.3) allocator.refuse(frameworkId, role, agentId, resources, now + 3_000);
        const kept = resources.cutScalars((entry) => (random.next() < 0.5 ? 0 : Math.floor(entry.amount / 2)));
        allocator.recover(frameworkId, role, agentId, resources.minus(kept));
        if (!kept.isEmpty) held.push({ ...part, resources: kept });
      },
      run: () => held.push(...allocator.allocate()),
    };
    const names = [...Object.keys(steps), 'giveBack', 'giveBack', 'giveBack', 'run', 'run', 'run'];

    for (let i = 0; i < 1_500; i++) {
      const name = pick(names) ?? '';
      if (name === 'addAgent' && totals.size > 12) continue;
      steps[name]?.();
      const parts = new Map<string, typeof held>();
      for (const part of held) parts.set(part.agentId, [...(parts.get(part.agentId) ?? []), part]);
      for (const [id, total] of totals) {
        const used = parts.get(id) ?? [];
        let free = total;
        for (const { resources } of used) {
          if (!free.contains(resources)) throw new Error(`step ${i}: ${name}: ${id} gave more than it has`);
          free = free.minus(resources);
        }
        const known = allocator.freeOf(id);
        if (!known.contains(free) || !free.contains(known)) throw new Error(`step ${i}: ${name}: ${id} lost something`);
      }
    }
    for (const { frameworkId, role, agentId, resources } of held)
      allocator.recover(frameworkId, role, agentId, resources);
    for (const { allocated } of allocator.roleUsage())
      for (const amount of Object.values(allocated)) expect(amount).toBe(0);
  });
});
