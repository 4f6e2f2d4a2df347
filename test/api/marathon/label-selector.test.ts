import { parseLabelSelector } from '../../../src/api/marathon/label-selector';
import { InvalidError } from '../../../src/core/errors';

describe('parseLabelSelector', () => {
  const labels = { tier: 'front', 'a.b-c_d': '1', in: 'x', odd: 'a b' };
  test.each([
    ['tier', true],
    ['nothing', false],
    ['tier==front', true],
    ['tier = front', true],
    ['tier==back', false],
    ['tier!=back', true],
    ['tier!=front', false],
    ['nothing!=back', false],
    ['tier in (front)', true],
    ['tier in(back, front)', true],
    ['tier in (back)', false],
    ['tier notin (back, middle)', true],
    ['nothing notin (back)', false],
    ['tier, a.b-c_d==1', true],
    ['tier,nothing', false],
    ['in', true],
    ['in==x', true],
    ['in in (x)', true],
    ['odd==a\\ b', true],
    ['toString', false],
    ['__proto__', false],
  ])('%s: %s', (selector, expected) => {
    expect(parseLabelSelector(selector)(labels)).toBe(expected);
  });

  test.each(['', ',', 'a,', 'a in', 'a in ()', 'a in (b', 'a ==', 'a b', 'a==b c', '=b', 'a=={b}'])(
    '%s is refused',
    (selector) => {
      expect(() => parseLabelSelector(selector)).toThrow(InvalidError);
    },
  );
});
