/** Time as a port, so that a simulation can own it. */
export interface Clock {
  /** Wall clock, milliseconds since the epoch. May jump. For records and people, never for deadlines. */
  nowMs(): number;
  /** Milliseconds from an arbitrary start; never jumps. For deadlines, back-off and leases. */
  monotonicMs(): number;
  /** Calls `run` once after `delayMs`. The handle cancels it; cancelling twice is harmless. */
  after(delayMs: number, run: () => void): Timer;
}

export interface Timer {
  cancel(): void;
}

/** Resolves after `delayMs`, or at once when `signal` aborts (never rejects: callers look at the signal). */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) return resolve();
    const done = () => {
      timer.cancel();
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = clock.after(delayMs, done);
    signal?.addEventListener('abort', done, { once: true });
  });
}
