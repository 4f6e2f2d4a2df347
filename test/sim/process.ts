import type { Clock, Timer } from '../../src/core/ports/clock';
import type { FakeClock } from '../support/fakes';

/**
 * One operating-system process of the simulation: what runs in it stops for good when it is killed. Its timers never fire
 * again, and calls it has under way are never answered, although their effect may still happen out there.
 */
export class SimProcess implements Clock {
  private readonly death = new AbortController();
  private readonly timers = new Set<Timer>();

  constructor(private readonly world: FakeClock) {}

  get isAlive(): boolean {
    return !this.death.signal.aborted;
  }

  /** Aborts when the process is killed. Only for the outside (fakes): a killed process hears nothing. */
  get killed(): AbortSignal {
    return this.death.signal;
  }

  kill(): void {
    for (const timer of this.timers) timer.cancel();
    this.timers.clear();
    this.death.abort();
  }

  nowMs(): number {
    return this.world.nowMs();
  }

  monotonicMs(): number {
    return this.world.monotonicMs();
  }

  after(delayMs: number, run: () => void): Timer {
    if (!this.isAlive) return { cancel: () => undefined };
    const timer = this.world.after(delayMs, () => {
      this.timers.delete(timer);
      run();
    });
    this.timers.add(timer);
    return {
      cancel: () => {
        this.timers.delete(timer);
        timer.cancel();
      },
    };
  }

  /** A call to the outside: nothing happens when the process is dead already, no answer comes when it dies meanwhile. */
  async call<T>(effect: () => Promise<T>): Promise<T> {
    if (!this.isAlive) return never();
    try {
      const answer = await effect();
      return this.isAlive ? answer : await never<T>();
    } catch (error) {
      if (!this.isAlive) return never();
      throw error;
    }
  }
}

export function never<T>(): Promise<T> {
  return new Promise(() => undefined);
}
