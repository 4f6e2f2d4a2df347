import { ConflictError, FencedError, messageOf } from '../core/errors';
import { LIMITS } from '../core/limits';
import type { Clock, Timer } from '../core/ports/clock';
import type { Logger } from '../core/ports/logger';

/**
 * Keys to work on, each at most once at a time: a key that is added while its work runs is worked on again afterwards, so no
 * change is ever missed and a storm of changes costs one pass. Failed keys come again after a doubling pause.
 */
export class KeyQueue {
  private readonly waiting = new Set<string>();
  private readonly running = new Map<string, Promise<void>>();
  private closed = false;
  private readonly timers = new Map<string, { readonly atMs: number; readonly timer: Timer }>();
  private readonly pausedUntilMs = new Map<string, number>();
  private readonly failures = new Map<string, number>();
  private scheduled = false;

  constructor(
    private readonly name: string,
    /** Resolves with the milliseconds that must pass before the key is worked on again; void: none. */
    private readonly work: (key: string) => Promise<number | void>,
    private readonly clock: Clock,
    private readonly log: Logger,
    private readonly signal: AbortSignal,
    private readonly workers: number = LIMITS.controllerWorkers,
  ) {}

  /** Keys that wait, run or are due later. */
  get size(): number {
    return this.waiting.size + this.running.size + this.timers.size;
  }

  private isOver(): boolean {
    return this.closed || this.signal.aborted;
  }

  add(key: string): void {
    if (this.isOver()) return;
    const pauseMs = this.pauseLeftMs(key);
    if (pauseMs > 0) return this.addAfter(key, pauseMs);
    this.waiting.add(key);
    if (this.scheduled) return;
    this.scheduled = true;
    // Whoever adds keys goes on first: one batch of changes becomes one pass per key.
    void Promise.resolve().then(() => {
      this.scheduled = false;
      this.startWorkers();
    });
  }

  /** Large keys are worked on less often: what comes meanwhile makes one pass. */
  private pauseLeftMs(key: string): number {
    const untilMs = this.pausedUntilMs.get(key);
    if (untilMs === undefined) return 0;
    const leftMs = untilMs - this.clock.monotonicMs();
    if (leftMs <= 0) this.pausedUntilMs.delete(key);
    return Math.max(0, leftMs);
  }

  /** Adds the key after `delayMs`, unless an earlier time is set already. */
  addAfter(key: string, delayMs: number): void {
    const atMs = this.clock.monotonicMs() + delayMs;
    const present = this.timers.get(key);
    if (this.isOver() || (present !== undefined && present.atMs <= atMs)) return;
    present?.timer.cancel();
    const timer = this.clock.after(delayMs, () => {
      this.timers.delete(key);
      this.add(key);
    });
    this.timers.set(key, { atMs, timer });
  }

  /** Resolves when no work runs. */
  async idle(): Promise<void> {
    while (this.running.size > 0) await Promise.allSettled(this.running.values());
  }

  /** Takes no more keys and forgets those that wait; work that runs is not interrupted. */
  close(): void {
    this.closed = true;
    this.clear();
  }

  private clear(): void {
    this.waiting.clear();
    for (const { timer } of this.timers.values()) timer.cancel();
    this.timers.clear();
    this.pausedUntilMs.clear();
  }

  private startWorkers(): void {
    if (this.isOver()) return this.clear();
    for (const key of this.waiting) {
      if (this.running.size >= this.workers) return;
      if (this.running.has(key)) continue;
      this.waiting.delete(key);
      this.running.set(key, this.run(key));
    }
  }

  private async run(key: string): Promise<void> {
    // The caller has noted that it runs before anything can end.
    await Promise.resolve();
    try {
      const pauseMs = (await this.work(key)) ?? 0;
      this.failures.delete(key);
      if (pauseMs > 0) this.pause(key, pauseMs);
    } catch (error) {
      this.failed(key, error);
    } finally {
      this.running.delete(key);
      this.startWorkers();
    }
  }

  private pause(key: string, pauseMs: number): void {
    this.pausedUntilMs.set(key, this.clock.monotonicMs() + pauseMs);
    if (this.waiting.delete(key)) this.addAfter(key, pauseMs);
  }

  private failed(key: string, error: unknown): void {
    if (this.isOver() || error instanceof FencedError) return;
    const count = (this.failures.get(key) ?? 0) + 1;
    this.failures.set(key, count);
    const delayMs = Math.min(LIMITS.retryLastMs, LIMITS.retryFirstMs * 2 ** Math.min(count - 1, 16));
    // A lost compare-and-swap is normal: somebody else wrote, and that change has woken the key already.
    if (error instanceof ConflictError) this.log.debug('pass lost a race', { queue: this.name, key, count });
    else this.log.warn('pass failed', { queue: this.name, key, count, error: messageOf(error) });
    this.addAfter(key, error instanceof ConflictError && count === 1 ? 0 : delayMs);
  }
}
