import { currentBackoff, raiseBackoff } from '../../../src/core/lifecycle/backoff';
import { unreachablePhase } from '../../../src/core/lifecycle/unreachable';

describe('launch back-off', () => {
  const policy = { backoffSeconds: 2, backoffFactor: 3, maxLaunchDelaySeconds: 10 };

  test('grows by the factor up to the longest delay', () => {
    const delays: number[] = [];
    let backoff;
    let now = 1_000;
    for (let i = 0; i < 4; i++) {
      backoff = raiseBackoff(backoff, policy, 'v1', now);
      delays.push(backoff.delayMs);
      now = backoff.untilMs;
    }
    expect(delays).toEqual([2_000, 6_000, 10_000, 10_000]);
  });

  test('belongs to a configuration', () => {
    const backoff = raiseBackoff(undefined, policy, 'v1', 0);
    expect(currentBackoff(backoff, policy, 'v2', 1)).toBeUndefined();
    expect(raiseBackoff(raiseBackoff(backoff, policy, 'v1', 1), policy, 'v2', 2).delayMs).toBe(2_000);
  });

  test('is forgotten when the longest delay passes without a failure', () => {
    const backoff = raiseBackoff(undefined, policy, 'v1', 0);
    expect(currentBackoff(backoff, policy, 'v1', 11_999)).toBe(backoff);
    expect(currentBackoff(backoff, policy, 'v1', 12_000)).toBeUndefined();
  });

  test('0 seconds: no delay', () => {
    expect(raiseBackoff(undefined, { ...policy, backoffSeconds: 0 }, 'v1', 5).untilMs).toBe(5);
  });
});

describe('unreachablePhase', () => {
  const both = { inactiveAfterSeconds: 60, expungeAfterSeconds: 300 };
  test.each([
    { name: 'disabled', strategy: 'disabled' as const, forMs: 1e12, expected: { phase: 'wait' } },
    {
      name: '0/0 at once',
      strategy: { inactiveAfterSeconds: 0, expungeAfterSeconds: 0 },
      forMs: 0,
      expected: { phase: 'expunge' },
    },
    { name: 'before', strategy: both, forMs: 59_999, expected: { phase: 'wait', changesInMs: 1 } },
    { name: 'inactive', strategy: both, forMs: 60_000, expected: { phase: 'inactive', changesInMs: 240_000 } },
    { name: 'expunged', strategy: both, forMs: 300_000, expected: { phase: 'expunge' } },
  ])('$name', ({ strategy, forMs, expected }) => {
    expect(unreachablePhase(strategy, forMs)).toEqual(expected);
  });
});
