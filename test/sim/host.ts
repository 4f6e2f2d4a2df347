import { sleep } from '../../src/core/ports/clock';
import type { TaskExit, TaskLaunch } from '../../src/core/ports/task-driver';
import type { TaskInfo } from '../../src/core/records/mesos';
import { ResourceBag } from '../../src/core/records/resources';
import type { FakeClock } from '../support/fakes';
import type { Dice } from './dice';
import { SimDisk } from './checkpoints';

export type Phase = 'created' | 'running' | 'exited';

export interface Container {
  readonly id: string;
  readonly taskId: string;
  readonly frameworkId: string;
  readonly agentId: string;
  readonly info: TaskInfo;
  phase: Phase;
  /** Answers its health checks. */
  healthy: boolean;
  /** Somebody asked it to stop. */
  stopping: boolean;
  startedAtMs: number;
  exit?: TaskExit;
  /** Hear of its end. */
  readonly waiters: Set<(exit: TaskExit) => void>;
}

/** What the world wants to know about containers, at the instant it happens. */
export interface ContainerObserver {
  started(host: SimHost, container: Container): void;
  stopAsked(host: SimHost, container: Container): void;
  ended(host: SimHost, container: Container): void;
}

/** A machine with a container engine and a disk. Its containers live on whatever becomes of the agent process. */
export class SimHost {
  readonly containers = new Map<string, Container>();
  readonly disk = new SimDisk();
  /** Ports that something else on the machine listens on. */
  readonly strangerPorts = new Set<number>();
  private made = 0;

  constructor(
    readonly name: string,
    readonly capacity: ResourceBag,
    private readonly clock: FakeClock,
    private readonly dice: Dice,
    private readonly observer: ContainerObserver,
  ) {}

  running(): Container[] {
    return [...this.containers.values()].filter((container) => container.phase === 'running');
  }

  /** Idempotent, as in the real driver: the name follows from the task id. */
  create(task: TaskLaunch): void {
    if (this.containers.has(task.taskId)) return;
    this.made += 1;
    this.containers.set(task.taskId, {
      id: `${this.name}-c${this.made}`,
      taskId: task.taskId,
      frameworkId: task.frameworkId,
      agentId: task.agentId,
      info: task.info,
      phase: 'created',
      healthy: true,
      stopping: false,
      startedAtMs: 0,
      waiters: new Set(),
    });
  }

  start(container: Container): void {
    if (container.phase !== 'created') return;
    container.phase = 'running';
    container.startedAtMs = this.clock.nowMs();
    this.observer.started(this, container);
  }

  /** Asks politely; resolves when it has ended. */
  async stop(container: Container, graceMs: number): Promise<void> {
    if (container.phase === 'created') return void this.containers.delete(container.taskId);
    if (container.phase === 'exited') return;
    this.observer.stopAsked(this, container);
    container.stopping = true;
    const stubborn = this.dice.hit(0.2);
    await sleep(this.clock, stubborn ? graceMs : Math.min(graceMs, this.dice.between(5, 400)));
    this.end(container, stubborn ? 137 : 143, stubborn ? 'killed after the grace period' : 'ended by SIGTERM');
  }

  end(container: Container, exitCode: number | undefined, message: string, oomKilled = false): void {
    if (container.phase === 'exited') return;
    const wasRunning = container.phase === 'running';
    container.phase = 'exited';
    container.exit = {
      ...(exitCode === undefined ? {} : { exitCode }),
      oomKilled,
      message,
      finishedAtMs: this.clock.nowMs(),
    };
    if (wasRunning) this.observer.ended(this, container);
    for (const tell of container.waiters) tell(container.exit);
    container.waiters.clear();
  }

  /** `docker rm -f` by hand, or by the agent after the end. */
  remove(container: Container): void {
    this.end(container, undefined, 'the container was removed');
    this.containers.delete(container.taskId);
  }
}
