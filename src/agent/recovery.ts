import type { RecoveredTask } from '../core/ports/task-driver';
import type { TaskCheckpoint } from './checkpoint';

export interface FoundContainer {
  readonly driver: string;
  readonly task: RecoveredTask;
}

/** What to do with one task after a restart of the agent. */
export type RecoveryStep =
  /** Known from its checkpoint; `found` absent: it has no container. */
  | { readonly kind: 'resume'; readonly checkpoint: TaskCheckpoint; readonly found?: RecoveredTask }
  /** A container of ours without a checkpoint: taken over from what its labels say. */
  | { readonly kind: 'adopt'; readonly checkpoint: TaskCheckpoint; readonly found: RecoveredTask }
  /** A container without a checkpoint that never ran: what an engine has created after everybody had given it up. It is removed. */
  | { readonly kind: 'discard'; readonly driver: string; readonly found: RecoveredTask }
  /** A container of ours that says too little to be taken over. It is named and left alone. */
  | { readonly kind: 'report'; readonly found: RecoveredTask };

/** Joins what was written down with what is really there. Nothing that runs is ever ended by it. */
export function planRecovery(
  checkpoints: readonly TaskCheckpoint[],
  containers: readonly FoundContainer[],
  sandboxOf: (frameworkId: string, taskId: string) => string,
): RecoveryStep[] {
  const byTask = new Map(containers.map((container) => [container.task.taskId, container.task]));
  const known = new Set(checkpoints.map((checkpoint) => checkpoint.taskId));
  const resumed = checkpoints.map((checkpoint): RecoveryStep => {
    const found = byTask.get(checkpoint.taskId);
    return found === undefined ? { kind: 'resume', checkpoint } : { kind: 'resume', checkpoint, found };
  });
  const strangers = containers
    .filter(({ task }) => !known.has(task.taskId))
    .map((container) => adoption(container, sandboxOf));
  return [...resumed, ...strangers];
}

function adoption(
  { driver, task: found }: FoundContainer,
  sandboxOf: (frameworkId: string, taskId: string) => string,
): RecoveryStep {
  if (found.phase === 'created') return { kind: 'discard', driver, found };
  if (found.info === undefined || found.agentId === undefined) return { kind: 'report', found };
  const { taskId, frameworkId, agentId, info } = found;
  const checkpoint: TaskCheckpoint = {
    version: 1,
    taskId,
    frameworkId,
    agentId,
    driver,
    info,
    sandbox: sandboxOf(frameworkId, taskId),
    phase: 'launching',
    state: 'TASK_STAGING',
    updates: [],
  };
  return { kind: 'adopt', checkpoint, found };
}

/**
 * The id under which to register: the one written down; without it (lost, garbage) the one that our tasks or containers carry,
 * when all agree. A new id would make the master believe that all of them are gone.
 */
export function agentIdOf(
  saved: string | undefined,
  checkpoints: readonly TaskCheckpoint[],
  containers: readonly FoundContainer[],
): string | undefined {
  if (saved !== undefined) return saved;
  const ids = new Set<string>();
  for (const { agentId } of checkpoints) ids.add(agentId);
  for (const { task } of containers) if (task.agentId !== undefined) ids.add(task.agentId);
  return ids.size === 1 ? [...ids][0] : undefined;
}
