import { LIMITS } from '../core/limits';
import type { Clock } from '../core/ports/clock';
import type { IdSource } from '../core/ports/ids';
import type { TaskState } from '../core/records/mesos';
import type { StatusUpdates } from './status-updates';
import { updateUuid } from './status-uuid';

/**
 * Answers to kills of tasks that are not here. Nothing of it is written down: the master asks again until it hears an answer.
 * Remembers the ids for a while, so that a launch that was overtaken by its kill does not start anything.
 */
export class UnknownTasks {
  private readonly ids = new Set<string>();

  constructor(
    private readonly updates: StatusUpdates,
    private readonly clock: Clock,
    private readonly idSource: IdSource,
  ) {}

  has(taskId: string): boolean {
    return this.ids.has(taskId);
  }

  killed(taskId: string, frameworkId: string, agentId: string): void {
    this.ids.add(taskId);
    const oldest = this.ids.values().next().value;
    if (this.ids.size > LIMITS.unknownTasks && oldest !== undefined) this.ids.delete(oldest);
    this.answer(taskId, frameworkId, agentId, 'TASK_GONE', 'The agent does not know this task');
  }

  launched(taskId: string, frameworkId: string, agentId: string): void {
    this.answer(taskId, frameworkId, agentId, 'TASK_KILLED', 'The kill of this task came before its launch');
  }

  private answer(taskId: string, frameworkId: string, agentId: string, state: TaskState, message: string): void {
    if (this.updates.pending(taskId).length > 0 || this.updates.size >= 2 * LIMITS.unknownTasks) return;
    const status = {
      task_id: { value: taskId },
      agent_id: { value: agentId },
      state,
      message,
      source: 'SOURCE_AGENT' as const,
      reason: 'REASON_TASK_UNKNOWN',
      timestamp: Math.round(this.clock.nowMs()) / 1_000,
      uuid: updateUuid(this.idSource),
    };
    this.updates.add(taskId, frameworkId, status, true);
  }
}
