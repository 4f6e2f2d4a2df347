import { NotFoundError, TimeoutError, UnavailableError } from '../../src/core/errors';
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
  /** Share of creations that find a container of somebody else under our name. */
  nameTaken: number;
  /** Share of containers that end soon after their start. */
  endsSoon: number;
  /** `hangs`: no call is answered, some take effect afterwards. `down`: every call fails at once. */
  state: 'up' | 'hangs' | 'down';
}

export function goodEngine(): EngineTrouble {
  return { failPull: 0, failStart: 0, nameTaken: 0, endsSoon: 0, state: 'up' };
}

/** Milliseconds a call to a hanging engine takes to fail: shorter than in production, in proportion to everything else. */
const CALL_MS = 10_000;

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
    return this.engine(async () => {
      await sleep(this.clock, this.dice.one(0, 1, 50, 900), signal);
      if (signal.aborted) throw new Error('the pull was given up');
      if (this.dice.hit(this.trouble.failPull))
        throw new TaskDriverError('REASON_CONTAINER_LAUNCH_FAILED', 'pull', 'manifest unknown');
    });
  }

  create(task: TaskLaunch): Promise<void> {
    return this.engine(async () => {
      await sleep(this.clock, this.dice.between(1, 40));
      if (this.dice.hit(this.trouble.nameTaken))
        throw new TaskDriverError(
          'REASON_CONTAINER_LAUNCH_FAILED',
          'create',
          'the name is in use by another container',
        );
      this.host.create(task);
    });
  }

  start(taskId: string): Promise<StartedTask> {
    return this.engine(async () => {
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
    return this.engine(async () => {
      const container = this.host.containers.get(taskId);
      if (container !== undefined) await this.host.stop(container, graceMs);
    });
  }

  remove(taskId: string): Promise<void> {
    return this.engine(async () => {
      await sleep(this.clock, this.dice.between(1, 20));
      const container = this.host.containers.get(taskId);
      if (container !== undefined) this.host.remove(container);
    });
  }

  exec(taskId: string): Promise<{ readonly exitCode: number; readonly output: string }> {
    const asked = this.engine(async () => {
      await sleep(this.clock, this.dice.between(1, 30));
      const container = this.host.containers.get(taskId);
      if (container?.phase !== 'running') throw new NotFoundError('Container', taskId);
      return { exitCode: container.healthy ? 0 : 1, output: '' };
    });
    // As in io/docker: an engine that hangs is no fault of the command.
    return asked.catch((error: unknown) => {
      throw error instanceof TimeoutError ? new UnavailableError('docker', { detail: error.message }) : error;
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
    return this.engine(async () => {
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
    for (const port of this.host.strangerPorts) taken.add(port);
    const clash = portsOf(container.info).find((port) => taken.has(port));
    if (clash !== undefined || this.dice.hit(this.trouble.failStart)) {
      this.host.containers.delete(container.taskId);
      const why = clash === undefined ? 'exec: "x": executable file not found' : `port ${clash} is already allocated`;
      throw new TaskDriverError('REASON_CONTAINER_LAUNCH_FAILED', 'start', why);
    }
    this.host.start(container);
    if (this.dice.hit(this.trouble.endsSoon))
      this.clock.after(this.dice.between(10, 2_000), () => this.host.end(container, 1, 'ended soon'));
  }

  /** One call to the engine, as good as it is just now. */
  private engine<T>(work: () => Promise<T>): Promise<T> {
    return this.process.call(async () => {
      if (this.trouble.state === 'down') throw new UnavailableError('docker', { detail: 'connection refused' });
      if (this.trouble.state === 'hangs') await this.hang(work);
      return work();
    });
  }

  /** The engine may get to the call when the caller has given it up. */
  private async hang(work: () => Promise<unknown>): Promise<void> {
    const limitMs = this.clock.monotonicMs() + CALL_MS;
    const comesLate = this.dice.hit(0.3);
    while (this.trouble.state === 'hangs' && this.clock.monotonicMs() < limitMs) await sleep(this.clock, 500);
    if (this.trouble.state !== 'hangs') return;
    if (comesLate) void this.afterwards(work);
    throw new TimeoutError('docker', CALL_MS);
  }

  private async afterwards(work: () => Promise<unknown>): Promise<void> {
    while (this.trouble.state === 'hangs') await sleep(this.clock, 500);
    await work().catch(ignore);
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
