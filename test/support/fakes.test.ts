import { sleep } from '../../src/core/ports/clock';
import { FakeClock, recordingMetrics, seededIds, seededRandom } from './fakes';

describe('FakeClock', () => {
  it('runs timers in order of time, then of creation, at their own time', () => {
    const clock = new FakeClock();
    const ran: string[] = [];
    const note = (name: string) => () => ran.push(`${name}@${clock.monotonicMs()}`);
    clock.after(20, note('late'));
    clock.after(10, note('first'));
    clock.after(10, note('second'));
    clock.after(5, () => clock.after(2, note('nested')));
    clock.advance(19);
    expect(ran).toEqual(['nested@7', 'first@10', 'second@10']);
    expect(clock.monotonicMs()).toBe(19);
    clock.advance(1);
    expect(ran).toHaveLength(4);
  });

  it('keeps the order with many timers', () => {
    const clock = new FakeClock();
    const random = seededRandom(3);
    const seen: number[] = [];
    for (let i = 0; i < 500; i++) clock.after(Math.floor(random.next() * 100), () => seen.push(clock.monotonicMs()));
    clock.advance(100);
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
    expect(seen).toHaveLength(500);
  });

  it('does not run what was cancelled, and cancelling twice is harmless', () => {
    const clock = new FakeClock();
    const timer = clock.after(5, () => {
      throw new Error('ran');
    });
    timer.cancel();
    timer.cancel();
    expect(clock.timers).toBe(0);
    expect(clock.nextInMs()).toBeUndefined();
    clock.advance(10);
    expect(clock.monotonicMs()).toBe(10);
  });

  it('lets promises go on between timers', async () => {
    const clock = new FakeClock();
    let wokenAt = 0;
    const sleeper = (async () => {
      await sleep(clock, 10);
      await sleep(clock, 10);
      wokenAt = clock.monotonicMs();
    })();
    await clock.run(50);
    await sleeper;
    expect(wokenAt).toBe(20);
  });

  it('runUntil stops when the condition holds and throws when it cannot', async () => {
    const clock = new FakeClock();
    let done = false;
    clock.after(30, () => (done = true));
    await clock.runUntil(() => done);
    expect(clock.monotonicMs()).toBe(30);
    await expect(clock.runUntil(() => false, 100)).rejects.toThrow('condition is false');
  });

  it('lets the wall clock jump without the monotonic clock', () => {
    const clock = new FakeClock(1000);
    clock.jumpWallClock(-500);
    expect([clock.nowMs(), clock.monotonicMs()]).toEqual([500, 0]);
  });
});

describe('seeded chance', () => {
  it('repeats with the seed and differs between seeds', () => {
    const draw = (seed: number) => {
      const random = seededRandom(seed);
      return Array.from({ length: 5 }, () => random.next());
    };
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
    expect(draw(7).every((value) => value >= 0 && value < 1)).toBe(true);
  });

  it('makes version 4 UUIDs', () => {
    const ids = seededIds(1);
    const made = [ids.uuid(), ids.uuid()];
    expect(made[0]).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(made[0]).not.toBe(made[1]);
  });
});

describe('RecordingMetrics', () => {
  it('keeps series apart and runs collectors before a read', () => {
    const metrics = recordingMetrics();
    metrics.counter({ name: 'a_total', help: '' }).inc({ z: '1', b: '2' });
    metrics.counter({ name: 'a_total', help: '' }).inc({ b: '2', z: '1' }, 2);
    const gauge = metrics.gauge({ name: 'g', help: '' });
    metrics.onCollect(() => gauge.set(4));
    expect(metrics.values.get('a_total{b="2",z="1"}')).toBe(3);
    expect(metrics.read('g')).toBe(4);
  });
});
