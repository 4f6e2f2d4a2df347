import { LIMITS } from '../core/limits';
import { isTerminal, mesosTimestamp, type TaskState, type TaskStatus } from '../core/records/mesos';
import type { Task } from '../core/records/records';

/** A status made by the master. Without uuid it is sent once and must not be acknowledged (Mesos). */
export function masterStatus(options: {
  readonly taskId: string;
  readonly agentId?: string | undefined;
  readonly state: TaskState;
  readonly reason: string;
  readonly message: string;
  readonly nowMs: number;
  readonly uuid?: string | undefined;
}): TaskStatus {
  return {
    task_id: { value: options.taskId },
    ...(options.agentId === undefined ? {} : { agent_id: { value: options.agentId } }),
    state: options.state,
    source: 'SOURCE_MASTER',
    reason: options.reason,
    message: options.message,
    timestamp: mesosTimestamp(options.nowMs),
    ...(options.uuid === undefined ? {} : { uuid: options.uuid }),
  };
}

/** The same status with what is known about the running container: it still holds when the task comes back. */
export function withKnownFacts(status: TaskStatus, known: TaskStatus | undefined): TaskStatus {
  if (known === undefined) return status;
  const { container_status, health, readiness, healthy } = known;
  return {
    ...status,
    ...(container_status === undefined ? {} : { container_status }),
    ...(health === undefined ? {} : { health }),
    ...(readiness === undefined ? {} : { readiness }),
    ...(healthy === undefined ? {} : { healthy }),
  };
}

/** Whether two statuses tell the same of a running container. */
export function saysTheSame(one: TaskStatus, other: TaskStatus | undefined): boolean {
  return other !== undefined && digest(one) === digest(other);
}

function digest({ state, container_status, healthy, health, readiness }: TaskStatus): string {
  const checks = (health ?? []).map((result) => result?.alive ?? null);
  const ready = (readiness ?? []).map(({ name, ready: isReady }) => [name, isReady]);
  return JSON.stringify([state, container_status?.container_id?.value, healthy, checks, ready]);
}

const PARTITION_STATES: ReadonlySet<TaskState> = new Set([
  'TASK_DROPPED',
  'TASK_UNREACHABLE',
  'TASK_GONE',
  'TASK_GONE_BY_OPERATOR',
  'TASK_UNKNOWN',
]);

/** Frameworks without PARTITION_AWARE know only TASK_LOST for all of these (Mesos). */
export function asSeenBy(status: TaskStatus, isPartitionAware: boolean): TaskStatus {
  return isPartitionAware || !PARTITION_STATES.has(status.state) ? status : { ...status, state: 'TASK_LOST' };
}

/** The record after a status. History gets an entry per change of state, the oldest go first. */
export function withStatus(task: Task, status: TaskStatus, nowMs: number): Task {
  const previous = task.status;
  const isChange = previous.state !== status.state || previous.history.length === 0;
  const entry = {
    state: status.state,
    timestampMs: status.timestamp === undefined ? nowMs : Math.round(status.timestamp * 1000),
    ...(status.reason === undefined ? {} : { reason: status.reason }),
    ...(status.message === undefined ? {} : { message: status.message }),
  };
  const next: Task['status'] = {
    ...previous,
    state: status.state,
    latest: status,
    history: isChange ? [...previous.history, entry].slice(-LIMITS.taskHistory) : previous.history,
  };
  if (status.state === 'TASK_RUNNING' && next.startedAtMs === undefined) next.startedAtMs = entry.timestampMs;
  if (status.state === 'TASK_UNREACHABLE') next.unreachableSinceMs = nowMs;
  else delete next.unreachableSinceMs;
  return { ...task, status: next };
}

/** Still to be ended: a kill was asked for and the task may be alive. */
export function isKillPending(task: Task): boolean {
  return task.status.killRequested !== undefined && !isTerminal(task.status.state);
}

const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** The 16 bytes of a textual UUID in base64, as TaskStatus.uuid carries them. */
export function uuidBase64(uuid: string): string {
  const hex = uuid.replaceAll('-', '');
  let text = '';
  for (let i = 0; i < hex.length; i += 6) {
    const digits = hex.slice(i, i + 6).padEnd(6, '0');
    const bits = Number.parseInt(digits, 16);
    for (const shift of [18, 12, 6, 0]) text += BASE64.charAt((bits >> shift) & 63);
  }
  return `${text.slice(0, 22)}==`;
}
