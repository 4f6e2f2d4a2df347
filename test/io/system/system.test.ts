import { SystemRandom, UuidSource } from '../../../src/io/system/chance';
import { SystemClock } from '../../../src/io/system/clock';

describe('SystemClock', () => {
  afterEach(() => jest.useRealTimers());

  it('goes forward, and knows the time of day', () => {
    const clock = new SystemClock();
    const before = clock.monotonicMs();
    expect(clock.monotonicMs()).toBeGreaterThanOrEqual(before);
    expect(Math.abs(clock.nowMs() - Date.now())).toBeLessThan(1000);
  });

  it('runs a timer once, and not when it was cancelled', () => {
    jest.useFakeTimers();
    const clock = new SystemClock();
    const ran: string[] = [];
    clock.after(10, () => ran.push('kept'));
    const cancelled = clock.after(10, () => ran.push('cancelled'));
    cancelled.cancel();
    cancelled.cancel();
    jest.advanceTimersByTime(30);
    expect(ran).toEqual(['kept']);
  });

  it('waits 30 days for a timer of 30 days, and not a millisecond', () => {
    jest.useFakeTimers();
    const days30 = 30 * 86_400_000; // more than setTimeout can hold
    let ran = false;
    new SystemClock().after(days30, () => (ran = true));
    jest.advanceTimersByTime(days30 - 1);
    expect(ran).toBe(false);
    jest.advanceTimersByTime(1);
    expect(ran).toBe(true);
  });
});

describe('chance', () => {
  it('draws from [0, 1)', () => {
    const random = new SystemRandom();
    for (let i = 0; i < 100; i++) {
      const value = random.next();
      expect(value >= 0 && value < 1).toBe(true);
    }
  });

  it('makes version 4 UUIDs in lower case', () => {
    expect(new UuidSource().uuid()).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });
});
