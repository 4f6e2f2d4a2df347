import { parseDuration } from '../../src/cli/duration';

describe('parseDuration', () => {
  test.each([
    ['300000', 300_000], // Marathon: bare numbers are milliseconds
    ['5mins', 300_000],
    ['15secs', 15_000],
    ['1weeks', 604_800_000],
    ['2days', 172_800_000],
    ['1.5hrs', 5_400_000],
    ['500ms', 500],
    ['250us', 0.25],
    ['5s', 5_000],
    ['1m30s', 90_000],
    ['1h', 3_600_000],
    ['0', 0],
  ])('%s', (text, ms) => {
    expect(parseDuration(text)).toBeCloseTo(ms, 9);
  });

  test.each(['', '-5s', '5 secs', '5sec', 'secs', '1e3', '5s!', 'Infinity', '99999999999999999999'])(
    'refuses %j',
    (text) => {
      expect(() => parseDuration(text)).toThrow('must be a duration');
    },
  );
});
