/** A signal that aborts after `timeoutMs` or with `outer`. `done` frees it; `timedOut` tells which of the two it was. */
export interface Deadline {
  readonly signal: AbortSignal;
  timedOut(): boolean;
  done(): void;
}

/** Not AbortSignal.any: that keeps a reference in long-lived signals for every call. */
export function deadline(timeoutMs: number, outer?: AbortSignal): Deadline {
  const controller = new AbortController();
  let late = false;
  const stop = () => controller.abort();
  const timer = setTimeout(() => {
    late = true;
    controller.abort();
  }, timeoutMs);
  if (outer?.aborted === true) controller.abort();
  outer?.addEventListener('abort', stop, { once: true });
  return {
    signal: controller.signal,
    timedOut: () => late,
    done: () => {
      clearTimeout(timer);
      outer?.removeEventListener('abort', stop);
    },
  };
}
