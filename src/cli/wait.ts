import { setTimeout as pause } from 'node:timers/promises';

/** Milliseconds between two looks at something that is awaited. */
const LOOK_EVERY_MS = 200;

/**
 * Repeats `look` until it gives something else than undefined; gives undefined when `timeoutMs` have passed. What `look`
 * throws ends the wait.
 */
export async function waitFor<T>(
  timeoutMs: number,
  look: () => Promise<T | undefined> | T | undefined,
): Promise<T | undefined> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() >= deadline) return undefined;
    await pause(LOOK_EVERY_MS);
  }
}
