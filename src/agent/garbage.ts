/** An ended task, as far as cleaning up is concerned. */
export interface EndedTask {
  readonly taskId: string;
  readonly endedAtMs: number;
  /** Killed on request: nobody wants to look at its container. */
  readonly unwanted: boolean;
}

/**
 * Whose containers may go now: those older than `keepMs`, those nobody wants, and the oldest above `keepCount`. Oldest first.
 * Mesos: docker_remove_delay.
 */
export function containersToRemove(
  ended: readonly EndedTask[],
  nowMs: number,
  keepMs: number,
  keepCount: number,
): string[] {
  const oldestFirst = [...ended].sort((a, b) => a.endedAtMs - b.endedAtMs || (a.taskId < b.taskId ? -1 : 1));
  const surplus = oldestFirst.length - keepCount;
  return oldestFirst
    .filter((task, index) => task.unwanted || index < surplus || nowMs - task.endedAtMs >= keepMs)
    .map((task) => task.taskId);
}

/** Share of the disk that sandboxes of ended tasks leave free (Mesos: --gc_disk_headroom). */
const DISK_HEADROOM = 0.1;

/** How long sandboxes are kept on a disk of which `usage` (0 to 1) is in use. Mesos: gc_delay is the most, a full disk keeps none. */
export function sandboxKeepMs(delayMs: number, usage: number): number {
  return delayMs * Math.max(0, 1 - DISK_HEADROOM - usage);
}

/** Sandboxes that nobody uses and that did not change for `keepMs`. Mesos: gc_delay. */
export function sandboxesToRemove(
  sandboxes: readonly { readonly path: string; readonly modifiedMs: number }[],
  inUse: ReadonlySet<string>,
  nowMs: number,
  keepMs: number,
): string[] {
  return sandboxes
    .filter(({ path, modifiedMs }) => !inUse.has(path) && nowMs - modifiedMs >= keepMs)
    .map(({ path }) => path);
}
