import type { Clock, Timer } from '../../core/ports/clock';
import type { Term } from '../../core/ports/election';
import type { Fence } from '../../core/ports/store';
import type { Lease } from './leases';

/** One won term: valid until its deadline on the monotonic clock passes, or end() is called. */
export class HeldTerm implements Term {
  private readonly controller = new AbortController();
  private deadlineMs: number;
  private timer: Timer;

  /** @param deadlineMs on clock.monotonicMs() */
  constructor(
    readonly fence: Fence,
    readonly lease: Lease,
    private readonly clock: Clock,
    deadlineMs: number,
  ) {
    this.deadlineMs = deadlineMs;
    this.timer = this.arm();
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  isHeld(): boolean {
    return !this.signal.aborted && this.clock.monotonicMs() < this.deadlineMs;
  }

  leftMs(): number {
    return Math.max(0, this.deadlineMs - this.clock.monotonicMs());
  }

  /** A term that has lapsed is not brought back to life. */
  prolong(deadlineMs: number): void {
    if (!this.isHeld() || deadlineMs <= this.deadlineMs) return;
    this.deadlineMs = deadlineMs;
    this.timer.cancel();
    this.timer = this.arm();
  }

  end(): void {
    this.timer.cancel();
    this.controller.abort();
  }

  private arm(): Timer {
    return this.clock.after(this.leftMs(), () => this.end());
  }
}
