import type { TaskInfo } from '../records/mesos';

/** Everything a driver needs to run one task. */
export interface TaskLaunch {
  readonly taskId: string;
  readonly frameworkId: string;
  readonly agentId: string;
  readonly info: TaskInfo;
  /** Absolute path of the task's sandbox on the host; exists. */
  readonly sandbox: string;
  /** Set by the agent beside TaskInfo's own environment (HOST, MESOS_SANDBOX …). TaskInfo's wins. */
  readonly environment: Readonly<Record<string, string>>;
}

export interface StartedTask {
  readonly containerId: string;
  readonly containerName: string;
  /** Address of the task in its own network; absent with HOST and NONE. */
  readonly ipAddress?: string;
}

export interface TaskExit {
  /** Absent: ended in a way that left no status (container removed by hand). */
  readonly exitCode?: number;
  readonly signal?: number;
  /** Something in the task's cgroup was killed for memory; may come with exit code 0 (then it is not a failure). */
  readonly oomKilled: boolean;
  /** One sentence for people. */
  readonly message: string;
  readonly finishedAtMs: number;
}

/** A container of ours that the driver found, whether or not we remember it. */
export interface RecoveredTask {
  readonly taskId: string;
  readonly frameworkId: string;
  readonly containerId: string;
  readonly containerName: string;
  readonly phase: 'created' | 'running' | 'exited';
  /** The agent id it was started under, and what was started, if the engine kept that. */
  readonly agentId?: string;
  readonly info?: TaskInfo;
  readonly ipAddress?: string;
  readonly exit?: TaskExit;
}

/** What a task uses right now, and what it has used since its start. */
export interface TaskUsage {
  /** CPU time since its start, seconds. */
  readonly cpuSeconds: number;
  readonly memoryBytes: number;
  /** Absent: no limit. */
  readonly memoryLimitBytes?: number;
  /** Time since its start for which its own limit kept it from the CPU, seconds. */
  readonly cpuThrottledSeconds?: number;
  /** Since its start. Absent: it has no network of its own. */
  readonly networkReceivedBytes?: number;
  readonly networkSentBytes?: number;
  /** Block devices, since its start. Absent: the kernel does not tell. */
  readonly diskReadBytes?: number;
  readonly diskWrittenBytes?: number;
  readonly processes?: number;
}

/** A failure of prepare or start, in words for the user. */
export class TaskDriverError extends Error {
  constructor(
    /** Which Mesos reason it is. */
    readonly reason: 'REASON_CONTAINER_LAUNCH_FAILED' | 'REASON_INVALID_OFFERS' | 'REASON_TASK_INVALID',
    readonly phase: 'pull' | 'create' | 'start',
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'TaskDriverError';
  }
}

/**
 * How an agent runs tasks (a containerizer). Every call is idempotent: a repeat after a crash is success, not an error.
 * Every call has its own time limit and rejects with TimeoutError past it.
 */
export interface TaskDriver {
  /** `docker`, `mesos`. */
  readonly name: string;
  /** Whether this containerizer can run it; otherwise the next in the list is asked. */
  supports(info: TaskInfo): boolean;
  /** Pulls the image if needed. Throws TaskDriverError with the registry's words. Its own, long, time limit. */
  pull(task: TaskLaunch, signal: AbortSignal): Promise<void>;
  /** Creates the container under its deterministic name. Throws TaskDriverError. */
  create(task: TaskLaunch): Promise<void>;
  /** Throws TaskDriverError; a failed start leaves nothing behind. */
  start(taskId: string): Promise<StartedTask>;
  /** Resolves when the task has ended; at once if it has already. Rejects when `signal` aborts. */
  wait(taskId: string, signal: AbortSignal): Promise<TaskExit>;
  /** Asks politely, kills after `graceMs`; resolves when it has ended (or does not exist). */
  stop(taskId: string, graceMs: number): Promise<void>;
  /** Removes the container and its volumes. */
  remove(taskId: string): Promise<void>;
  /** Runs a command inside the task (COMMAND health checks, exec). Output is bounded. */
  exec(
    taskId: string,
    command: readonly string[],
    options: {
      readonly timeoutMs: number;
      readonly signal?: AbortSignal;
      readonly environment?: Readonly<Record<string, string>>;
    },
  ): Promise<{ readonly exitCode: number; readonly output: string }>;
  /** Copies the task's output to `stdout` and `stderr` in its sandbox, from where it had got to, until the task ends. */
  followLogs(taskId: string, sandbox: string, signal: AbortSignal): Promise<void>;
  /** Rejects with NotFoundError when it is not running. */
  usage(taskId: string): Promise<TaskUsage>;
  /** What the engine really has, by our labels, of this agent only. The agent starts here after a restart. */
  recover(): Promise<readonly RecoveredTask[]>;
}
