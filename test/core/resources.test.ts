import { InvalidError } from '../../src/core/errors';
import type { Resource } from '../../src/core/records/mesos';
import {
  addRanges,
  containsRanges,
  countRanges,
  firstOfRanges,
  normalizeRanges,
  subtractRanges,
} from '../../src/core/records/resource-ranges';
import {
  addResources,
  allocatedTo,
  attributeText,
  containsResources,
  formatResources,
  mayUse,
  parseAttributes,
  parseResources,
  portRanges,
  ResourceBag,
  resourceSummary,
  scalarOf,
  subtractResources,
  unreservedOf,
  usableBy,
} from '../../src/core/records/resources';

const scalar = (name: string, value: number, role = '*'): Resource => ({
  name,
  type: 'SCALAR',
  scalar: { value },
  role,
});

describe('text form', () => {
  test('reads scalars, ranges, sets and roles', () => {
    expect(parseResources('cpus:24; mem:24576;ports(web):[21000-24000, 30000-34000];bugs(role):{b,a};')).toEqual([
      { name: 'cpus', type: 'SCALAR', scalar: { value: 24 }, role: '*' },
      { name: 'mem', type: 'SCALAR', scalar: { value: 24576 }, role: '*' },
      {
        name: 'ports',
        type: 'RANGES',
        ranges: {
          range: [
            { begin: 21000, end: 24000 },
            { begin: 30000, end: 34000 },
          ],
        },
        role: 'web',
      },
      { name: 'bugs', type: 'SET', set: { item: ['a', 'b'] }, role: 'role' },
    ]);
  });

  test.each(['cpus', 'cpus:', 'cpus:four', ':4', 'cpus:-1', 'ports:[5-1]', 'ports:[a-b]', 'cpus(:4'])(
    'refuses %p and names it',
    (text) => {
      expect(() => parseResources(text)).toThrow(InvalidError);
      expect(() => parseResources(text)).toThrow(text);
    },
  );

  test('what is written can be read again', () => {
    const text = 'cpus:0.5;mem(a/b):32;ports:[1-5,7-7];names:{x,y}';
    expect(formatResources(parseResources(text))).toBe(text);
  });

  test('an unnamed role is the default role', () => {
    expect(parseResources('cpus:1', 'ops')).toEqual([scalar('cpus', 1, 'ops')]);
  });

  test('attributes: scalar if a number, ranges, set, else text', () => {
    const attributes = parseAttributes('rack:abc;level:10;keys:[1000-1500];url:http://x:1');
    expect(attributes.map((attribute) => [attribute.name, attribute.type, attributeText(attribute)])).toEqual([
      ['rack', 'TEXT', 'abc'],
      ['level', 'SCALAR', '10'],
      ['keys', 'RANGES', '[1000-1500]'],
      ['url', 'TEXT', 'http://x:1'],
    ]);
  });
});

describe('ranges', () => {
  const flat = (text: string) =>
    normalizeRanges(
      text
        .split(',')
        .filter((part) => part !== '')
        .map((part) => part.split('-').map(Number))
        .map(([begin = 0, end = 0]) => ({ begin, end })),
    );

  test.each([
    ['1-5,6-8', '', '1-8', '1-8'],
    ['1-10', '3-4', '1-10', '1-2,5-10'],
    ['1-10', '0-3,9-20', '0-20', '4-8'],
    ['1-3,10-12', '2-11', '1-12', '1-1,12-12'],
    ['5-5', '5-5', '5-5', ''],
    ['', '1-2', '1-2', ''],
  ])('%s with %s: sum %s, difference %s', (a, b, sum, difference) => {
    expect(addRanges(flat(a), flat(b))).toEqual(flat(sum));
    expect(subtractRanges(flat(a), flat(b))).toEqual(flat(difference));
  });

  test.each([
    ['1-10', '3-4,9-10', true],
    ['1-10', '10-11', false],
    ['1-3,5-9', '3-5', false],
    ['1-3,5-9', '2-2,6-9', true],
    ['', '1-1', false],
    ['1-1', '', true],
  ])('%s contains %s: %s', (a, b, expected) => expect(containsRanges(flat(a), flat(b))).toBe(expected));

  test('counting and taking from the front', () => {
    expect(countRanges(flat('1-3,7-7'))).toBe(4);
    expect(firstOfRanges(flat('1-3,7-9'), 5)).toEqual([1, 2, 3, 7, 8]);
    expect(firstOfRanges(flat('1-2'), 5)).toEqual([1, 2]);
  });
});

describe('arithmetic', () => {
  test('scalars are exact in thousandths', () => {
    const sum = addResources([scalar('cpus', 0.1)], [scalar('cpus', 0.2)]);
    expect(sum).toEqual([scalar('cpus', 0.3)]);
    expect(scalarOf([scalar('cpus', 0.1), scalar('cpus', 0.2, 'a')], 'cpus')).toBe(0.3);
  });

  test('reservations do not mix', () => {
    const mixed = [...parseResources('cpus:2;cpus(a):3')];
    expect(containsResources(mixed, parseResources('cpus:3'))).toBe(false);
    expect(containsResources(mixed, parseResources('cpus(a):3'))).toBe(true);
    expect(formatResources(subtractResources(mixed, parseResources('cpus(a):1')))).toBe('cpus:2;cpus(a):2');
  });

  test('a stack of reservations counts its last role', () => {
    const refined: Resource = {
      name: 'cpus',
      type: 'SCALAR',
      scalar: { value: 1 },
      reservations: [
        { type: 'STATIC', role: 'a' },
        { type: 'DYNAMIC', role: 'a/b' },
      ],
    };
    expect(usableBy([refined], 'a')).toEqual([]);
    expect(usableBy([refined], 'a/b/c')).toEqual([refined]);
    expect(unreservedOf([refined])).toEqual([]);
  });

  test('marks of a disk keep it apart, allocation does not', () => {
    const volume: Resource = { ...scalar('disk', 10), disk: { persistence: { id: 'x' } } };
    const bag = ResourceBag.of([scalar('disk', 10), volume]);
    expect(bag.contains(ResourceBag.of([scalar('disk', 20)]))).toBe(false);
    expect(bag.contains(ResourceBag.of(allocatedTo([volume], 'r')))).toBe(true);
    expect(bag.minus(ResourceBag.of([volume])).toResources()).toEqual([scalar('disk', 10)]);
  });

  test('what is too much is cut at zero and an empty entry vanishes', () => {
    expect(subtractResources(parseResources('cpus:1;mem:5'), parseResources('cpus:2;disk:1'))).toEqual([
      scalar('mem', 5),
    ]);
    expect(ResourceBag.of([scalar('cpus', 0)]).isEmpty).toBe(true);
    expect(ResourceBag.of([scalar('cpus', 0.0004)]).isEmpty).toBe(true);
  });

  test('operands never change', () => {
    const bag = ResourceBag.of(parseResources('cpus:4;ports:[1-10]'));
    bag.plus(ResourceBag.of(parseResources('cpus:1;ports:[20-30]')));
    bag.minus(ResourceBag.of(parseResources('cpus:1;ports:[2-3]')));
    expect(formatResources(bag.toResources())).toBe('cpus:4;ports:[1-10]');
  });

  test('a role may use its own and its ancestors reservations', () => {
    expect([mayUse('a/b', 'a'), mayUse('a', 'a/b'), mayUse('ab', 'a'), mayUse('x', undefined)]).toEqual([
      true,
      false,
      false,
      true,
    ]);
  });

  test('port ranges over all roles', () => {
    expect(portRanges(parseResources('ports:[1-5];ports(a):[6-9,20-20]'))).toEqual([
      { begin: 1, end: 9 },
      { begin: 20, end: 20 },
    ]);
  });
});

test('the summary of /state has the four scalars always and ports as text', () => {
  expect(resourceSummary(parseResources('cpus:1.5;cpus(a):1;ports:[31000-31000,31005-32000];lic:{b,a}'))).toEqual({
    cpus: 2.5,
    gpus: 0,
    mem: 0,
    disk: 0,
    ports: '[31000-31000, 31005-32000]',
    lic: '{a, b}',
  });
});
