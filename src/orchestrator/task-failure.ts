import type { TaskFailure } from '../core/records/app';
import { timestamp } from '../core/records/metadata';
import type { TaskState, TaskStatus } from '../core/records/mesos';
import type { Task } from '../core/records/records';

export interface TerminalVerdict {
  /** Launches of the app wait longer from now on. */
  readonly raisesBackoff: boolean;
  /** Shown as the app's last task failure. */
  readonly isFailure: boolean;
  readonly text: string;
}

/** Marathon: these raise the back-off, FINISHED (exit 0 of something that should run) included; KILLED does not. */
const RAISING: ReadonlySet<TaskState> = new Set([
  'TASK_FAILED',
  'TASK_ERROR',
  'TASK_FINISHED',
  'TASK_DROPPED',
  'TASK_LOST',
]);

/** What the end of a run means. An offer that was withdrawn meanwhile is nobody's failure. */
export function decideTerminal(status: TaskStatus, killRequested = false): TerminalVerdict {
  const isStaleOffer = status.reason === 'REASON_INVALID_OFFERS';
  const raises = RAISING.has(status.state) && !killRequested && !isStaleOffer;
  const message = status.message ?? '';
  return {
    raisesBackoff: raises,
    isFailure: raises && status.state !== 'TASK_FINISHED',
    text: message === '' ? status.state : `${status.state}: ${message}`,
  };
}

export function taskFailure(
  appId: string,
  status: TaskStatus,
  task: Task | undefined,
  where: { readonly host: string; readonly version: string; readonly nowMs: number },
): TaskFailure {
  const agentId = task?.spec.agentId ?? status.agent_id?.value;
  return {
    appId,
    host: where.host,
    message: status.message ?? '',
    ...(agentId === undefined ? {} : { slaveId: agentId }),
    state: status.state,
    taskId: status.task_id.value,
    timestamp: timestamp(status.timestamp === undefined ? where.nowMs : status.timestamp * 1000),
    version: where.version,
  };
}

/** Marathon's words for a kill that nobody asked for, with what the task said last. */
export function killWords({ status: { latest } }: Task, reason: 'UNHEALTHY' | 'LAUNCH_TIMEOUT'): string {
  const because = (cause: string | undefined) => (cause === undefined || cause === '' ? '' : `. Reason: ${cause}`);
  if (reason === 'LAUNCH_TIMEOUT') return `Task was killed since it did not start in time${because(latest?.message)}`;
  const unhealthy = latest?.health?.find((result) => result?.alive === false);
  return `Task was killed since health check failed${because(unhealthy?.lastFailureCause)}`;
}

/** How such a kill is shown among the app's failures (Marathon: UnhealthyInstanceKillEvent). The real end comes later. */
export function killedStatus(task: Task, message: string): TaskStatus {
  return { task_id: { value: task.spec.taskId }, state: 'TASK_KILLED', message };
}
