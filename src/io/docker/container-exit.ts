import { constants } from 'node:os';
import type { TaskExit } from '../../core/ports/task-driver';

/** The part of `docker inspect` that tells how a container is. */
export interface ContainerState {
  readonly Status: string;
  readonly ExitCode: number;
  readonly OOMKilled: boolean;
  readonly Error: string;
  readonly FinishedAt: string;
}

export type ContainerPhase = 'created' | 'running' | 'exited';

/** Paused, restarting and removing containers still have a process or have had one: only `exited` and `dead` are over. */
export function phaseOf(status: string): ContainerPhase {
  if (status === 'created') return 'created';
  return status === 'exited' || status === 'dead' ? 'exited' : 'running';
}

const SIGNALS = new Map<number, string>(Object.entries(constants.signals).map(([name, number]) => [number, name]));

/** How the container ended. Docker's OOMKilled only means that something in the cgroup was killed: the exit code may be 0. */
export function exitOf(state: ContainerState, nowMs: number): TaskExit {
  const finished = Date.parse(state.FinishedAt);
  const signal = state.ExitCode > 128 && SIGNALS.has(state.ExitCode - 128) ? state.ExitCode - 128 : undefined;
  return {
    exitCode: state.ExitCode,
    ...(signal === undefined ? {} : { signal }),
    oomKilled: state.OOMKilled,
    message: exitMessage(state, signal),
    finishedAtMs: Number.isNaN(finished) || finished <= 0 ? nowMs : finished,
  };
}

/** The container is gone, and with it the knowledge of how it ended. */
export function removedExit(nowMs: number): TaskExit {
  return { oomKilled: false, message: 'The container was removed from outside', finishedAtMs: nowMs };
}

function exitMessage(state: ContainerState, signal: number | undefined): string {
  const how =
    signal === undefined
      ? `Container exited with status ${state.ExitCode}`
      : `Container terminated with signal ${SIGNALS.get(signal) ?? signal} (status ${state.ExitCode})`;
  const why = state.Error === '' ? '' : `: ${state.Error}`;
  return state.OOMKilled ? `${how}: memory limit exceeded${why}` : `${how}${why}`;
}
