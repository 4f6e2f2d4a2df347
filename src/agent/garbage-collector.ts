import { messageOf } from '../core/errors';
import { LIMITS } from '../core/limits';
import { sleep, type Clock } from '../core/ports/clock';
import type { Logger } from '../core/ports/logger';
import type { Sandboxes } from '../core/ports/sandboxes';
import { containersToRemove, sandboxesToRemove, sandboxKeepMs } from './garbage';
import type { TaskSupervisor } from './task-supervisor';

export interface KeepTimes {
  /** Milliseconds a container is kept after its task ended by itself. */
  readonly containerMs: number;
  /** Milliseconds a sandbox is kept after its last change on an empty disk; less on a fuller one. */
  readonly sandboxMs: number;
}

/** Removes, now and then, what ended tasks have left behind. */
export class GarbageCollector {
  constructor(
    private readonly tasks: ReadonlyMap<string, TaskSupervisor>,
    private readonly sandboxes: Sandboxes,
    private readonly keep: KeepTimes,
    private readonly clock: Clock,
    private readonly log: Logger,
  ) {}

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await sleep(this.clock, LIMITS.agentGcMs, signal);
      if (signal.aborted) return;
      await this.removeContainers();
      await this.removeSandboxes().catch((error: unknown) =>
        this.log.warn('sandboxes cannot be listed', { error: messageOf(error) }),
      );
    }
  }

  private async removeContainers(): Promise<void> {
    const ended = [...this.tasks.values()]
      .map((task) => task.checkpoint)
      .filter((task) => task.phase === 'ended' && task.removed !== true && task.container !== undefined)
      .map(({ taskId, endedAtMs = 0, kill }) => ({ taskId, endedAtMs, unwanted: kill?.cause === 'requested' }));
    const due = containersToRemove(ended, this.clock.nowMs(), this.keep.containerMs, LIMITS.endedContainers);
    for (const taskId of due)
      await this.tasks
        .get(taskId)
        ?.removeContainer()
        .catch((error: unknown) =>
          this.log.warn('container of an ended task stays for now', { taskId, error: messageOf(error) }),
        );
  }

  private async removeSandboxes(): Promise<void> {
    const all = await this.sandboxes.list();
    const keepMs = sandboxKeepMs(this.keep.sandboxMs, await this.sandboxes.diskUsage());
    const inUse = new Set([...this.tasks.values()].map((task) => task.checkpoint.sandbox));
    for (const path of sandboxesToRemove(all, inUse, this.clock.nowMs(), keepMs))
      await this.sandboxes
        .remove(path)
        .catch((error: unknown) => this.log.warn('sandbox stays for now', { path, error: messageOf(error) }));
  }
}
