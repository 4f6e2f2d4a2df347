import { LIMITS } from '../core/limits';
import type { Task } from '../core/records/records';
import type { OrchestratorContext } from './context';
import type { KillReason } from './decide';
import type { MasterLink } from './master-link';

/** Sends kills and repeats each every 30 s for as long as it is asked for (Marathon), however often it is asked in between. */
export class Killer {
  private readonly sentAtMs = new Map<string, number>();

  constructor(
    private readonly context: OrchestratorContext,
    private readonly link: MasterLink,
  ) {}

  /** Returns true when this was the first kill of the task in this term. */
  kill(task: Task, reason: KillReason): boolean {
    const { taskId, agentId } = task.spec;
    const nowMs = this.context.clock.monotonicMs();
    const before = this.sentAtMs.get(taskId);
    if (before !== undefined && nowMs - before < LIMITS.killRetryMs) return false;
    this.sentAtMs.set(taskId, nowMs);
    this.context.metrics.kills.inc({ reason });
    this.context.log.info('killing task', { taskId, agentId, reason });
    void this.send(taskId, agentId);
    return before === undefined;
  }

  /** A kill that the master did not take is sent again by the next pass. */
  private async send(taskId: string, agentId: string): Promise<void> {
    const taken = await this.link.call({
      type: 'KILL',
      kill: { task_id: { value: taskId }, agent_id: { value: agentId } },
    });
    if (!taken) this.sentAtMs.delete(taskId);
  }

  /** The task is over. */
  forget(taskId: string): void {
    this.sentAtMs.delete(taskId);
  }
}
