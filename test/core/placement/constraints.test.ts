import { agentFacts, parseConstraints } from '../../../src/core/placement/constraints';
import { PlacementIndex } from '../../../src/core/placement/placement-index';
import { slot } from './support';

const facts = (host: string, attributes: Record<string, string | number> = {}) => slot(host, { attributes }).facts;

describe('constraints', () => {
  test.each<{ name: string; row: string[]; placed?: Record<string, number>; yes: string[]; no: string[] }>([
    { name: 'UNIQUE', row: ['rack', 'UNIQUE'], placed: { a: 1 }, yes: ['b'], no: ['a'] },
    { name: 'CLUSTER without value, first', row: ['rack', 'CLUSTER'], yes: ['a', 'b'], no: [] },
    { name: 'CLUSTER without value', row: ['rack', 'CLUSTER'], placed: { a: 2 }, yes: ['a'], no: ['b'] },
    { name: 'CLUSTER with value', row: ['rack', 'CLUSTER', 'b'], placed: { a: 2 }, yes: ['b'], no: ['a'] },
    { name: 'IS', row: ['rack', 'IS', 'a'], yes: ['a'], no: ['b', 'aa'] },
    { name: 'LIKE matches as a whole', row: ['rack', 'LIKE', 'a[0-9]+|b'], yes: ['a1', 'b'], no: ['a', 'xa1', 'bb'] },
    { name: 'UNLIKE', row: ['rack', 'UNLIKE', 'a.*'], yes: ['b'], no: ['a', 'ab'] },
    { name: 'MAX_PER', row: ['rack', 'MAX_PER', '2'], placed: { a: 2, b: 1 }, yes: ['b', 'c'], no: ['a'] },
    { name: 'GROUP_BY: a new group is welcome', row: ['rack', 'GROUP_BY'], placed: { a: 1 }, yes: ['b', 'a'], no: [] },
    {
      name: 'GROUP_BY: only the smallest groups grow',
      row: ['rack', 'GROUP_BY'],
      placed: { a: 2, b: 1 },
      yes: ['b', 'c'],
      no: ['a'],
    },
    {
      name: 'GROUP_BY with too few groups',
      row: ['rack', 'GROUP_BY', '3'],
      placed: { a: 1, b: 1 },
      yes: ['c'],
      no: ['a', 'b'],
    },
    {
      name: 'GROUP_BY with enough groups',
      row: ['rack', 'GROUP_BY', '2'],
      placed: { a: 1, b: 1 },
      yes: ['a', 'b', 'c'],
      no: [],
    },
  ])('$name', ({ row, placed = {}, yes, no }) => {
    const index = new PlacementIndex(parseConstraints([row]));
    for (const [rack, count] of Object.entries(placed)) {
      for (let i = 0; i < count; i++) index.place(`${rack}${i}`, facts('h', { rack }));
    }
    const answer = [...yes, ...no].filter((rack) => index.allows(facts('h', { rack })));
    expect(answer).toEqual(yes);
  });

  test('without the attribute only UNLIKE holds', () => {
    const rows = [
      ['x', 'UNIQUE'],
      ['x', 'CLUSTER'],
      ['x', 'GROUP_BY'],
      ['x', 'LIKE', '.*'],
      ['x', 'MAX_PER', '9'],
      ['x', 'IS', 'a'],
    ];
    for (const row of rows) expect(new PlacementIndex(parseConstraints([row])).allows(facts('h'))).toBe(false);
    expect(new PlacementIndex(parseConstraints([['x', 'UNLIKE', '.*']])).allows(facts('h'))).toBe(true);
  });

  test('fields: hostname, @hostname, @region, @zone, attributes as text', () => {
    const agent = agentFacts({
      hostname: 'h1',
      region: 'eu',
      zone: 'eu-1',
      attributes: [
        { name: 'level', type: 'SCALAR', scalar: { value: 10.5 } },
        { name: 'tags', type: 'SET', set: { item: ['a', 'b'] } },
      ],
    });
    const rows = [
      ['hostname', 'IS', 'h1'],
      ['@hostname', 'IS', 'h1'],
      ['@region', 'IS', 'eu'],
      ['@zone', 'IS', 'eu-1'],
      ['level', 'IS', '10.5'],
      ['tags', 'LIKE', '.*b.*'],
    ];
    expect(new PlacementIndex(parseConstraints(rows)).allows(agent)).toBe(true);
  });

  test('counts follow instances that come, move and go', () => {
    const index = new PlacementIndex(
      parseConstraints([
        ['rack', 'GROUP_BY'],
        ['hostname', 'UNIQUE'],
      ]),
    );
    index.place('1', facts('h1', { rack: 'a' }));
    index.place('2', facts('h2', { rack: 'a' }));
    index.place('3', facts('h3', { rack: 'b' }));
    expect(index.allows(facts('h4', { rack: 'a' }))).toBe(false);
    index.place('2', facts('h2', { rack: 'b' }));
    expect(index.countAt('rack', 'a')).toBe(1);
    expect(index.allows(facts('h4', { rack: 'a' }))).toBe(true);
    index.remove('1');
    index.remove('1');
    expect(index.countAt('rack', 'a')).toBe(0);
    expect(index.allows(facts('h1', { rack: 'a' }))).toBe(true);
    index.remove('2');
    index.remove('3');
    expect(index.size).toBe(0);
    expect(index.allows(facts('h3', { rack: 'b' }))).toBe(true);
  });
});
