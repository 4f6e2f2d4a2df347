import type { Quantities } from '../../../src/core/allocator/quantities';
import { Sorter, type Totals } from '../../../src/core/allocator/sorter';

const totals = (...quantities: Quantities): Totals => ({ quantities, version: 0 });

function sorterOf(paths: readonly string[], total: Totals, weights: Readonly<Record<string, number>> = {}) {
  const sorter = new Sorter<string>(total, (path) => weights[path] ?? 1);
  for (const path of paths) {
    sorter.add(path, path);
    sorter.setActive(path, true);
  }
  return sorter;
}

test('the example of the DRF paper: <9 cpus, 18 GB>, A takes <1, 4>, B takes <3, 1>', () => {
  const sorter = sorterOf(['A', 'B'], totals(9, 18));
  const demands: Record<string, Quantities> = { A: [1, 4], B: [3, 1] };
  const turns: string[] = [];
  for (let i = 0; i < 5; i++) {
    const next = sorter.sorted()[0] ?? '';
    turns.push(next);
    sorter.allocated(next, demands[next] ?? []);
  }
  // A ends with 3 tasks (12 of 18 GB), B with 2 (6 of 9 cpus): both at two thirds.
  expect(turns).toEqual(['A', 'B', 'A', 'B', 'A']);
  expect([sorter.shareOf('A'), sorter.shareOf('B')]).toEqual([12 / 18, 6 / 9]);
});

describe('order among siblings', () => {
  test('by share, then by number of allocations, then by path', () => {
    const sorter = sorterOf(['c', 'b', 'a'], totals(100));
    expect(sorter.sorted()).toEqual(['a', 'b', 'c']);
    sorter.allocated('a', [10]);
    expect(sorter.sorted()).toEqual(['b', 'c', 'a']);
    sorter.unallocated('a', [10]);
    expect(sorter.sorted()).toEqual(['b', 'c', 'a']); // equal shares, but a has had an allocation
    sorter.allocated('b', [0]);
    expect(sorter.sorted()).toEqual(['c', 'a', 'b']);
  });

  test('a weight divides the share', () => {
    const sorter = sorterOf(['a', 'b'], totals(100), { b: 3 });
    sorter.allocated('a', [10]);
    sorter.allocated('b', [20]);
    expect(sorter.sorted()).toEqual(['b', 'a']);
  });

  test('inactive clients are not visited but keep their share', () => {
    const sorter = sorterOf(['a', 'b'], totals(100));
    sorter.allocated('b', [5]);
    sorter.setActive('a', false);
    expect(sorter.sorted()).toEqual(['b']);
    sorter.setActive('a', true);
    expect(sorter.sorted()).toEqual(['a', 'b']);
  });

  test('a change of totals changes which resource is dominant', () => {
    const total = totals(10, 100);
    const sorter = sorterOf(['a', 'b'], total);
    sorter.allocated('a', [2, 10]);
    sorter.allocated('b', [1, 30]);
    expect(sorter.sorted()).toEqual(['a', 'b']); // 0.2 and 0.3
    total.quantities[1] = 1000;
    total.version += 1;
    expect(sorter.sorted()).toEqual(['b', 'a']); // 0.2 and 0.1
  });

  test('excluded resources do not count', () => {
    const sorter = new Sorter<string>(totals(10, 10), undefined, new Set([1]));
    for (const path of ['a', 'b']) {
      sorter.add(path, path);
      sorter.setActive(path, true);
    }
    sorter.allocated('a', [1, 10]);
    sorter.allocated('b', [2, 0]);
    expect(sorter.sorted()).toEqual(['a', 'b']);
  });
});

describe('tree of roles', () => {
  test('a subtree counts as one against its siblings', () => {
    const sorter = sorterOf(['a/x', 'a/y', 'b'], totals(100));
    sorter.allocated('a/x', [10]);
    sorter.allocated('a/y', [5]);
    sorter.allocated('b', [12]);
    expect(sorter.sorted()).toEqual(['b', 'a/y', 'a/x']);
  });

  test('a client with children becomes a virtual leaf among them, with its own allocation', () => {
    const sorter = sorterOf(['a', 'b'], totals(100));
    sorter.allocated('a', [10]);
    sorter.add('a/x', 'a/x');
    sorter.setActive('a/x', true);
    expect(sorter.sorted()).toEqual(['b', 'a/x', 'a']);
    sorter.allocated('a/x', [20]);
    expect(sorter.sorted()).toEqual(['b', 'a', 'a/x']);
    expect(sorter.allocationOf('a').slice(0, 1)).toEqual([10]);
  });

  test('the weight of a path belongs to its subtree, not to the virtual leaf', () => {
    const sorter = sorterOf(['a', 'a/x', 'b'], totals(100), { a: 4 });
    sorter.allocated('a', [20]);
    sorter.allocated('a/x', [10]);
    sorter.allocated('b', [10]);
    expect(sorter.sorted()).toEqual(['a/x', 'a', 'b']); // (20+10)/4 < 10
  });

  test('removing the last child turns the inner node into a client again', () => {
    const sorter = sorterOf(['a', 'a/x', 'b'], totals(100));
    sorter.allocated('a/x', [50]);
    sorter.allocated('a', [1]);
    sorter.allocated('b', [2]);
    expect(sorter.sorted()[0]).toBe('b');
    sorter.remove('a/x');
    expect(sorter.sorted()).toEqual(['a', 'b']);
    sorter.remove('a');
    sorter.add('a', 'again');
    sorter.setActive('a', true);
    expect(sorter.sorted()).toEqual(['again', 'b']);
    expect(sorter.size).toBe(2);
  });

  test('deep paths leave nothing behind', () => {
    const sorter = sorterOf(['a/b/c/d'], totals(100));
    sorter.remove('a/b/c/d');
    expect(sorter.sorted()).toEqual([]);
    sorter.add('a', 'a');
    sorter.setActive('a', true);
    expect(sorter.sorted()).toEqual(['a']);
  });
});

test('a list keeps its order while allocations change the sorter', () => {
  const sorter = sorterOf(['a', 'b', 'c'], totals(100));
  const seen: string[] = [];
  for (const path of sorter.sorted()) {
    seen.push(path);
    sorter.allocated(path, [10]);
  }
  expect(seen).toEqual(['a', 'b', 'c']);
});

test('the order is the same whether changes come one by one or all are sorted anew', () => {
  const paths = ['a/x', 'a/y', 'b', 'c', 'd/e/f'];
  const stepwise = sorterOf(paths, totals(1000, 1000));
  const total = totals(1000, 1000);
  const anew = sorterOf(paths, total);
  for (let i = 0; i < 200; i++) {
    const path = paths[(i * 7 + ((i * i) % 3)) % paths.length] ?? '';
    for (const sorter of [stepwise, anew]) sorter.allocated(path, [(i * 13) % 17, (i * 5) % 11]);
    total.version += 1;
    expect(stepwise.sorted()).toEqual(anew.sorted());
  }
});
