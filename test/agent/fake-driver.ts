import type { RecoveredTask, StartedTask, TaskDriver, TaskExit, TaskLaunch } from '../../src/core/ports/task-driver';
import type { TaskInfo } from '../../src/core/records/mesos';

interface FakeContainer {
  phase: 'created' | 'running' | 'exited';
  readonly launch: TaskLaunch;
  exit?: TaskExit;
  readonly waiters: ((exit: TaskExit) => void)[];
}

export type Step = 'pull' | 'create' | 'start' | 'stop' | 'remove' | 'recover' | 'exec';

/** Containers that live in memory and outlive any agent. A step can be made to fail or to hang. */
export class FakeDriver implements TaskDriver {
  readonly name = 'docker';
  readonly containers = new Map<string, FakeContainer>();
  /** Every call as `step task`, in order. */
  readonly calls: string[] = [];
  /** Thrown at the next call of the step, then forgotten. */
  readonly failures = new Map<Step, Error[]>();
  /** Calls of the step wait for release(). */
  private readonly gates = new Map<Step, Promise<void>>();
  /** What exec answers; COMMAND health checks ask it. */
  execAnswer: () => { exitCode: number; output: string } = () => ({ exitCode: 0, output: '' });
  stopIgnored = false;
  /** As for an image that is there: nothing of a pull is cut off. */
  pullIgnoresAbort = false;

  supports(info: TaskInfo): boolean {
    return info.container?.type === 'DOCKER';
  }

  /** Makes calls of the step hang until the returned function is called. */
  hold(step: Step): () => void {
    let release: () => void = () => undefined;
    this.gates.set(step, new Promise((resolve) => (release = resolve)));
    return () => {
      this.gates.delete(step);
      release();
    };
  }

  fail(step: Step, ...errors: Error[]): void {
    this.failures.set(step, errors);
  }

  /** The task ends by itself. */
  exit(taskId: string, exit: Partial<TaskExit> = {}): void {
    const container = this.containers.get(taskId);
    if (container === undefined) throw new Error(`no container of ${taskId}`);
    container.phase = 'exited';
    container.exit = {
      exitCode: 0,
      oomKilled: false,
      message: 'Container exited with status 0',
      finishedAtMs: 0,
      ...exit,
    };
    for (const tell of container.waiters.splice(0)) tell(container.exit);
  }

  /** Somebody removes the container behind our back. */
  vanish(taskId: string): void {
    this.exit(taskId, { exitCode: 137, message: 'gone' });
    this.containers.delete(taskId);
  }

  async pull(task: TaskLaunch, signal: AbortSignal): Promise<void> {
    if (this.pullIgnoresAbort) return this.step('pull', task.taskId);
    let stop: () => void = () => undefined;
    const aborted = new Promise<void>((_, reject) => (stop = () => reject(new Error('aborted'))));
    signal.addEventListener('abort', stop, { once: true });
    try {
      await Promise.race([this.step('pull', task.taskId), aborted]);
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  async create(task: TaskLaunch): Promise<void> {
    await this.step('create', task.taskId);
    if (!this.containers.has(task.taskId))
      this.containers.set(task.taskId, { phase: 'created', launch: task, waiters: [] });
  }

  async start(taskId: string): Promise<StartedTask> {
    await this.step('start', taskId);
    const container = this.containers.get(taskId);
    if (container === undefined) throw new Error('start before create');
    container.phase = 'running';
    return { containerId: `id-${taskId}`, containerName: `mesos-${taskId}`, ipAddress: '172.17.0.2' };
  }

  wait(taskId: string, signal: AbortSignal): Promise<TaskExit> {
    return new Promise((resolve, reject) => {
      const container = this.containers.get(taskId);
      if (container?.exit !== undefined) return resolve(container.exit);
      container?.waiters.push(resolve);
      signal.addEventListener('abort', () => reject(new Error('aborted')), { once: true });
    });
  }

  async stop(taskId: string, graceMs: number): Promise<void> {
    await this.step('stop', `${taskId} ${graceMs}`);
    if (this.stopIgnored && graceMs > 0) return;
    if (this.containers.get(taskId)?.phase === 'running')
      this.exit(taskId, { exitCode: 143, signal: 15, message: 'Container terminated with signal SIGTERM' });
  }

  async remove(taskId: string): Promise<void> {
    await this.step('remove', taskId);
    this.containers.delete(taskId);
  }

  async exec(taskId: string): Promise<{ exitCode: number; output: string }> {
    await this.step('exec', taskId);
    return this.execAnswer();
  }

  followLogs(): Promise<void> {
    return Promise.resolve();
  }

  usage(): Promise<{ cpuSeconds: number; memoryBytes: number }> {
    return Promise.resolve({ cpuSeconds: 1.5, memoryBytes: 1_000 });
  }

  async recover(): Promise<RecoveredTask[]> {
    await this.step('recover', '');
    return [...this.containers].map(([taskId, { phase, exit, launch }]) => ({
      taskId,
      frameworkId: launch.frameworkId,
      agentId: launch.agentId,
      info: launch.info,
      containerId: `id-${taskId}`,
      containerName: `mesos-${taskId}`,
      phase,
      ...(exit === undefined ? {} : { exit }),
    }));
  }

  count(call: string): number {
    return this.calls.filter((made) => made === call).length;
  }

  private async step(step: Step, what: string): Promise<void> {
    this.calls.push(`${step} ${what}`.trim());
    await this.gates.get(step);
    const error = this.failures.get(step)?.shift();
    if (error !== undefined) throw error;
  }
}
