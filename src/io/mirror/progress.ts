import { sleep, type Clock } from '../../core/ports/clock';

interface Waiter {
  readonly revision: number;
  readonly wake: () => void;
}

/** Lets callers wait until the mirror has reached a revision. */
export class Progress {
  private readonly waiters = new Set<Waiter>();

  constructor(
    private readonly clock: Clock,
    private readonly revision: () => number,
    /** Told how long each caller has waited, milliseconds. */
    private readonly onWaited: (ms: number) => void = () => undefined,
  ) {}

  /** True when `revision` was reached within `timeoutMs`. */
  async reached(revision: number, timeoutMs: number): Promise<boolean> {
    if (this.revision() >= revision) {
      this.onWaited(0);
      return true;
    }
    const startMs = this.clock.monotonicMs();
    const heard = new AbortController();
    const waiter: Waiter = { revision, wake: () => heard.abort() };
    this.waiters.add(waiter);
    await sleep(this.clock, timeoutMs, heard.signal);
    this.waiters.delete(waiter);
    this.onWaited(this.clock.monotonicMs() - startMs);
    return this.revision() >= revision;
  }

  /** The mirror has moved on. */
  moved(): void {
    if (this.waiters.size === 0) return;
    const revision = this.revision();
    for (const waiter of [...this.waiters]) if (waiter.revision <= revision) waiter.wake();
  }
}
