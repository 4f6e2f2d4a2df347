import { messageOf } from '../core/errors';
import { TaskDriverError, type TaskExit } from '../core/ports/task-driver';
import type { TaskState } from '../core/records/mesos';
import type { TaskCheckpoint } from './checkpoint';

/** How a task ended, in Mesos' words. */
export interface Ending {
  readonly state: TaskState;
  readonly reason?: string;
  readonly message: string;
  readonly healthy?: boolean;
}

/** Mesos' docker executor: killed wins over the exit status; exit 0 is FINISHED even when a child was killed for memory. */
export function endingOf(exit: TaskExit, kill: TaskCheckpoint['kill']): Ending {
  if (kill?.cause === 'unhealthy')
    return { state: 'TASK_KILLED', message: kill.message ?? 'Task was killed since it is unhealthy', healthy: false };
  if (kill !== undefined) return { state: 'TASK_KILLED', message: `Task was killed on request (${exit.message})` };
  if (exit.exitCode === 0) return { state: 'TASK_FINISHED', message: exit.message };
  if (exit.oomKilled)
    return { state: 'TASK_FAILED', reason: 'REASON_CONTAINER_LIMITATION_MEMORY', message: exit.message };
  if (exit.exitCode === undefined)
    return { state: 'TASK_FAILED', reason: 'REASON_EXECUTOR_TERMINATED', message: exit.message };
  return { state: 'TASK_FAILED', reason: 'REASON_COMMAND_EXECUTOR_FAILED', message: exit.message };
}

/** A task that never ran. */
export function launchFailure(error: unknown): Ending {
  const reason = error instanceof TaskDriverError ? error.reason : 'REASON_CONTAINER_LAUNCH_FAILED';
  return { state: 'TASK_FAILED', reason, message: messageOf(error) };
}

export const KILLED_DURING_LAUNCH: Ending = {
  state: 'TASK_KILLED',
  reason: 'REASON_TASK_KILLED_DURING_LAUNCH',
  message: 'Task was killed before it ran',
};
