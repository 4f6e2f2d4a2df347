import { setMaxListeners } from 'node:events';
import type { Clock, Timer } from '../../src/core/ports/clock';
import type { CrashPoint, CrashPoints } from '../../src/core/ports/crash-points';
import type { FakeClock } from '../support/fakes';

/** What the processes of one machine share. */
export interface Machine {
  /** Milliseconds its wall clock is ahead of the others'. */
  wallOffsetMs: number;
}

/**
 * One operating-system process of the simulation. What runs in it stops for good when it is killed: its timers never fire again,
 * and calls it has under way are never answered, although their effect may still happen out there. While it is paused, whatever
 * comes in waits, and comes in order and one at a time afterwards.
 */
export class SimProcess implements Clock, CrashPoints {
  private readonly death = new AbortController();
  private readonly timers = new Set<Timer>();
  private paused = false;
  private queue: (() => void)[] = [];
  private deathPoint: CrashPoint | undefined;
  private died: (() => void) | undefined;

  constructor(
    private readonly world: FakeClock,
    private readonly machine: Machine = { wallOffsetMs: 0 },
  ) {
    // Every stream and watch of the process listens for its end.
    setMaxListeners(0, this.death.signal);
  }

  get isAlive(): boolean {
    return !this.death.signal.aborted;
  }

  get isPaused(): boolean {
    return this.paused;
  }

  /** Aborts when the process is killed. Only for the outside (fakes): a killed process hears nothing. */
  get killed(): AbortSignal {
    return this.death.signal;
  }

  kill(): void {
    for (const timer of this.timers) timer.cancel();
    this.timers.clear();
    this.queue = [];
    this.paused = false;
    this.death.abort();
  }

  /** `kill -STOP`, or an event loop that is held up. Time goes on all the same. */
  pause(): void {
    this.paused = this.isAlive;
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    this.drain();
  }

  /** Dies the next time it comes to this point. */
  dieAt(point: CrashPoint, died: () => void): void {
    this.deathPoint = point;
    this.died = died;
  }

  disarm(): void {
    this.deathPoint = undefined;
  }

  reach(point: CrashPoint): void {
    if (point !== this.deathPoint || !this.isAlive) return;
    this.kill();
    this.died?.();
  }

  nowMs(): number {
    return this.world.nowMs() + this.machine.wallOffsetMs;
  }

  monotonicMs(): number {
    return this.world.monotonicMs();
  }

  after(delayMs: number, run: () => void): Timer {
    if (!this.isAlive) return { cancel: () => undefined };
    let isCancelled = false;
    const timer = this.world.after(delayMs, () => {
      this.timers.delete(timer);
      this.enter(() => {
        if (!isCancelled) run();
      });
    });
    this.timers.add(timer);
    return {
      cancel: () => {
        isCancelled = true;
        this.timers.delete(timer);
        timer.cancel();
      },
    };
  }

  /** Something comes in from outside: now, after the pause, or never. */
  enter(run: () => void): void {
    if (!this.isAlive) return;
    if (this.isBusy) this.queue.push(run);
    else run();
  }

  /** Work on behalf of a caller outside; not answered when the process dies first. */
  perform<T>(work: () => T | Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => this.enter(() => void attempt(work).then(resolve, reject)));
  }

  /** A call to the outside: nothing happens when the process is dead already, no answer comes when it dies meanwhile. */
  async call<T>(effect: () => Promise<T>): Promise<T> {
    if (!this.isAlive) return never();
    try {
      const answer = await effect();
      if (this.isBusy) await this.awake();
      return this.isAlive ? answer : await never<T>();
    } catch (error) {
      if (this.isBusy) await this.awake();
      if (!this.isAlive) return never();
      throw error;
    }
  }

  /** Resolves when the process runs. */
  awake(): Promise<void> {
    return new Promise((resolve) => this.enter(resolve));
  }

  get isBusy(): boolean {
    return this.paused || this.queue.length > 0;
  }

  private drain(): void {
    this.world.after(0, () => {
      if (this.paused) return;
      const run = this.queue.shift();
      if (run === undefined) return;
      run();
      this.drain();
    });
  }
}

async function attempt<T>(work: () => T | Promise<T>): Promise<T> {
  return work();
}

export function never<T>(): Promise<T> {
  return new Promise(() => undefined);
}
