import { messageOf } from '../core/errors';
import { LIMITS } from '../core/limits';
import { sleep, type Clock } from '../core/ports/clock';

export interface RetryOptions {
  readonly clock: Clock;
  /** Ends the repeats: the last error is thrown. */
  readonly signal: AbortSignal;
  /** False: this error is final. Absent: every error may pass. */
  readonly mayPass?: (error: unknown, waitMs: number) => boolean;
  /** Called before each pause. */
  readonly failed: (message: string, retryMs: number) => void;
}

/** Repeats `work` with pauses that double from LIMITS.retryFirstMs to LIMITS.retryLastMs until it succeeds. */
export async function retried<T>(work: () => Promise<T>, options: RetryOptions): Promise<T> {
  for (let waitMs: number = LIMITS.retryFirstMs; ; waitMs = Math.min(waitMs * 2, LIMITS.retryLastMs)) {
    try {
      return await work();
    } catch (error) {
      if (options.signal.aborted || options.mayPass?.(error, waitMs) === false) throw error;
      options.failed(messageOf(error), waitMs);
      await sleep(options.clock, waitMs, options.signal);
      if (options.signal.aborted) throw error;
    }
  }
}
