import { ConflictError, FencedError, UnavailableError } from '../../src/core/errors';
import { KeyQueue } from '../../src/orchestrator/key-queue';
import { FakeClock, RecordingLogger, settled } from '../support/fakes';

describe('KeyQueue', () => {
  const setUp = (work: (key: string) => Promise<number | void>, workers = 4) => {
    const clock = new FakeClock();
    const controller = new AbortController();
    const log = new RecordingLogger();
    return { clock, controller, log, queue: new KeyQueue('test', work, clock, log, controller.signal, workers) };
  };

  test('a key that is added many times is worked on once; while it runs, once more afterwards', async () => {
    const seen: string[] = [];
    const gates: (() => void)[] = [];
    const { queue } = setUp((key) => {
      seen.push(key);
      return new Promise((resolve) => gates.push(resolve));
    });
    for (const key of ['a', 'a', 'b', 'a']) queue.add(key);
    await settled();
    expect(seen).toEqual(['a', 'b']);
    queue.add('a');
    queue.add('a');
    await settled();
    expect(seen).toEqual(['a', 'b']);
    gates[0]?.();
    await settled();
    expect(seen).toEqual(['a', 'b', 'a']);
  });

  test('never more than its workers at once', async () => {
    let running = 0;
    let most = 0;
    const { queue } = setUp(async () => {
      most = Math.max(most, ++running);
      await settled();
      running--;
    }, 2);
    for (let i = 0; i < 20; i++) queue.add(`key-${i}`);
    for (let i = 0; i < 40; i++) await settled();
    expect(most).toBe(2);
    expect(queue.size).toBe(0);
  });

  test.each([
    {
      name: 'unavailable: again after a doubling pause',
      error: new UnavailableError('store'),
      times: [0, 100, 300, 700],
    },
    { name: 'a lost race: again at once, then slower', error: new ConflictError('k', 1), times: [0, 0, 200, 600] },
    { name: 'a bug: again, not in a hot loop', error: new Error('bug'), times: [0, 100, 300, 700] },
    { name: 'fenced: never again', error: new FencedError(), times: [0] },
  ])('$name', async ({ error, times }) => {
    const at: number[] = [];
    const { clock, queue } = setUp(async () => {
      at.push(clock.monotonicMs());
      throw error;
    });
    queue.add('a');
    await clock.run(1_000);
    expect(at).toEqual(times);
  });

  test('of several times the earliest counts', async () => {
    const at: number[] = [];
    const { clock, queue } = setUp(async () => void at.push(clock.monotonicMs()));
    queue.addAfter('a', 500);
    queue.addAfter('a', 200);
    queue.addAfter('a', 900);
    await clock.run(2_000);
    expect(at).toEqual([200]);
  });

  test('a pause gathers what comes meanwhile', async () => {
    const at: number[] = [];
    const { clock, queue } = setUp(async () => {
      at.push(clock.monotonicMs());
      return 20;
    });
    queue.add('a');
    for (let i = 0; i < 10; i++) {
      await clock.run(5);
      queue.add('a');
    }
    await clock.run(100);
    expect(at).toEqual([0, 20, 40, 60]);
  });

  test('the end of the term ends it', async () => {
    const seen: string[] = [];
    const { clock, controller, queue } = setUp(async (key) => void seen.push(key));
    queue.add('a');
    queue.addAfter('b', 10);
    controller.abort();
    queue.add('c');
    await clock.run(1_000);
    expect(seen).toEqual([]);
    expect(queue.size).toBe(0);
  });

  test('idle waits for what runs', async () => {
    let release: () => void = () => undefined;
    const { queue } = setUp(() => new Promise((resolve) => (release = resolve)));
    queue.add('a');
    await settled();
    let isIdle = false;
    queue.close();
    const idle = queue.idle().then(() => (isIdle = true));
    await settled();
    expect(isIdle).toBe(false);
    release();
    await idle;
    expect(isIdle).toBe(true);
  });
});
