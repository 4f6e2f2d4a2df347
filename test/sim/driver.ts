import { NotFoundError } from '../../src/core/errors';
import { sleep } from '../../src/core/ports/clock';
import {
  TaskDriverError,
  type RecoveredTask,
  type StartedTask,
  type TaskDriver,
  type TaskExit,
  type TaskLaunch,
  type TaskUsage,
} from '../../src/core/ports/task-driver';
import type { TaskInfo } from '../../src/core/records/mesos';
import type { FakeClock } from '../support/fakes';
import type { Dice } from './dice';
import { portsOf } from '../checker/hosts';
import type { Container, SimHost } from './host';
import { never, type SimProcess } from './process';

/** Trouble with the engine of one host. Changed by the world while it runs. */
export interface EngineTrouble {
  failPull: number;
  failStart: number;
}

/** The containerizer of one agent process: the real contract on a simulated host. Everything takes drawn time. */
export class SimDriver implements TaskDriver {
  readonly name = 'docker';

  constructor(
    protected readonly host: SimHost,
    private readonly process: SimProcess,
    protected readonly clock: FakeClock,
    private readonly dice: Dice,
    private readonly trouble: EngineTrouble,
  ) {}

  supports(info: TaskInfo): boolean {
    return info.container?.docker !== undefined;
  }

  pull(_task: TaskLaunch, signal: AbortSignal): Promise<void> {
    return this.process.call(async () => {
      await sleep(this.clock, this.dice.one(0, 1, 50, 900), signal);
      if (signal.aborted) throw new Error('the pull was given up');
      if (this.dice.hit(this.trouble.failPull))
        throw new TaskDriverError('REASON_CONTAINER_LAUNCH_FAILED', 'pull', 'manifest unknown');
    });
  }

  create(task: TaskLaunch): Promise<void> {
    return this.process.call(async () => {
      await sleep(this.clock, this.dice.between(1, 40));
      this.host.create(task);
    });
  }

  start(taskId: string): Promise<StartedTask> {
    return this.process.call(async () => {
      await sleep(this.clock, this.dice.between(5, 300));
      const container = this.host.containers.get(taskId);
      if (container === undefined)
        throw new TaskDriverError('REASON_CONTAINER_LAUNCH_FAILED', 'start', `no container for ${taskId}`);
      if (container.phase === 'created') this.begin(container);
      return { containerId: container.id, containerName: `mesos-${taskId}`, ...addressOf(container) };
    });
  }

  wait(taskId: string, signal: AbortSignal): Promise<TaskExit> {
    return this.process.call(() => this.awaitExit(taskId, signal));
  }

  stop(taskId: string, graceMs: number): Promise<void> {
    return this.process.call(async () => {
      const container = this.host.containers.get(taskId);
      if (container !== undefined) await this.host.stop(container, graceMs);
    });
  }

  remove(taskId: string): Promise<void> {
    return this.process.call(async () => {
      await sleep(this.clock, this.dice.between(1, 20));
      const container = this.host.containers.get(taskId);
      if (container !== undefined) this.host.remove(container);
    });
  }

  exec(taskId: string): Promise<{ readonly exitCode: number; readonly output: string }> {
    return this.process.call(async () => {
      await sleep(this.clock, this.dice.between(1, 30));
      const container = this.host.containers.get(taskId);
      if (container?.phase !== 'running') throw new NotFoundError('Container', taskId);
      return { exitCode: container.healthy ? 0 : 1, output: '' };
    });
  }

  async followLogs(taskId: string, _sandbox: string, signal: AbortSignal): Promise<void> {
    await this.process.call(() => this.awaitExit(taskId, signal).then(ignore, ignore));
  }

  usage(taskId: string): Promise<TaskUsage> {
    if (this.host.containers.get(taskId)?.phase !== 'running') throw new NotFoundError('Container', taskId);
    return Promise.resolve({ cpuSeconds: 1, memoryBytes: 1024 });
  }

  recover(): Promise<readonly RecoveredTask[]> {
    return this.process.call(async () => {
      await sleep(this.clock, this.dice.between(1, 100));
      return [...this.host.containers.values()].map((container) => ({
        taskId: container.taskId,
        frameworkId: container.frameworkId,
        containerId: container.id,
        containerName: `mesos-${container.taskId}`,
        phase: container.phase,
        agentId: container.agentId,
        info: container.info,
        ...addressOf(container),
        ...(container.exit === undefined ? {} : { exit: container.exit }),
      }));
    });
  }

  protected begin(container: Container): void {
    const taken = new Set(this.host.running().flatMap((other) => portsOf(other.info)));
    const clash = portsOf(container.info).find((port) => taken.has(port));
    if (clash !== undefined || this.dice.hit(this.trouble.failStart)) {
      this.host.containers.delete(container.taskId);
      const why = clash === undefined ? 'exec: "x": executable file not found' : `port ${clash} is already allocated`;
      throw new TaskDriverError('REASON_CONTAINER_LAUNCH_FAILED', 'start', why);
    }
    this.host.start(container);
  }

  private awaitExit(taskId: string, signal: AbortSignal): Promise<TaskExit> {
    const container = this.host.containers.get(taskId);
    if (container === undefined)
      return Promise.resolve({ oomKilled: false, message: 'no such container', finishedAtMs: this.clock.nowMs() });
    if (container.exit !== undefined) return Promise.resolve(container.exit);
    return new Promise((resolve, reject) => {
      if (!this.process.isAlive) return void never();
      const done = (exit: TaskExit) => {
        signal.removeEventListener('abort', stop);
        resolve(exit);
      };
      const stop = () => {
        container.waiters.delete(done);
        reject(new Error('the wait was given up'));
      };
      container.waiters.add(done);
      signal.addEventListener('abort', stop, { once: true });
      if (signal.aborted) stop();
    });
  }
}

function addressOf(container: Container): { readonly ipAddress?: string } {
  return container.info.container?.docker?.network === 'BRIDGE' ? { ipAddress: '172.17.0.2' } : {};
}

function ignore(): void {}
