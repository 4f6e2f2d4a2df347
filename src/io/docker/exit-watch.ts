import { messageOf, UnavailableError } from '../../core/errors';
import type { Clock } from '../../core/ports/clock';
import type { Logger } from '../../core/ports/logger';
import type { TaskExit } from '../../core/ports/task-driver';
import { ContainerEvents } from './container-events';
import { exitOf, phaseOf, removedExit } from './container-exit';
import { LABELS } from './container-names';
import { withSignal, type DockerEngine } from './engine';
import { hasStatus } from './engine-error';

/** Again after this many milliseconds when the engine says "died" and a look at the container does not show it yet. */
const LOOK_AGAIN_MS = 200;
/** The same when the look itself has failed. */
const LOOK_AFTER_FAILURE_MS = 1_000;
/** The engine learns from the kernel that memory ran out on another way than that the process ended, and sometimes later. */
const LATE_OOM_MS = 100;
const KILLED = 137;

type Listener = (exit: TaskExit) => void;

/** Who waits for which container to end. One event stream for all; each end costs one inspect. */
export class ExitWatch {
  private readonly waiting = new Map<string, Set<Listener>>();
  private readonly looking = new Set<string>();
  /** Said to have died while a look was under way, which may have come too early to see it. */
  private readonly lookAgain = new Set<string>();
  /** Containers that we stop ourselves: nobody asks what killed them. */
  private readonly stopped = new Set<string>();
  private readonly events: ContainerEvents;

  constructor(
    private readonly engine: DockerEngine,
    workDir: string,
    private readonly clock: Clock,
    private readonly log: Logger,
  ) {
    this.events = new ContainerEvents(engine, `${LABELS.workDir}=${workDir}`, clock, log, {
      ended: (id) => this.ended(id),
      resync: () => void this.resync(),
    });
  }

  /** Resolves when the container has ended, at once if it already has. Rejects when `signal` aborts. */
  wait(containerId: string, signal: AbortSignal): Promise<TaskExit> {
    this.events.start();
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(gaveUp());
      const finish = (exit: TaskExit) => {
        this.forget(containerId, finish);
        signal.removeEventListener('abort', stop);
        resolve(exit);
      };
      const stop = () => {
        this.forget(containerId, finish);
        reject(gaveUp());
      };
      signal.addEventListener('abort', stop, { once: true });
      const listeners = this.waiting.get(containerId) ?? new Set();
      this.waiting.set(containerId, listeners.add(finish));
      this.look(containerId, false);
    });
  }

  /** The container is about to be stopped or killed by us. */
  expectStop(containerId: string): void {
    if (this.waiting.has(containerId)) this.stopped.add(containerId);
  }

  /** The engine says that it is over. */
  ended(containerId: string): void {
    this.look(containerId, true);
  }

  stop(): Promise<void> {
    return this.events.stop();
  }

  private forget(containerId: string, listener: Listener): void {
    const listeners = this.waiting.get(containerId);
    listeners?.delete(listener);
    if (listeners?.size !== 0) return;
    this.waiting.delete(containerId);
    this.stopped.delete(containerId);
  }

  /**
   * @param died the engine says it is over: look again if the container does not show it yet
   * @param final whatever is seen now is the answer
   */
  private look(containerId: string, died: boolean, final = false): void {
    if (!this.waiting.has(containerId)) return;
    if (this.looking.has(containerId)) {
      if (died) this.lookAgain.add(containerId);
      return;
    }
    this.looking.add(containerId);
    this.exitNow(containerId)
      .then((exit) => {
        this.looking.delete(containerId);
        const isNews = this.lookAgain.delete(containerId);
        if (exit !== undefined && !final && this.mayBeLateOom(containerId, exit))
          this.clock.after(LATE_OOM_MS, () => this.look(containerId, false, true));
        else if (exit !== undefined) this.tell(containerId, exit);
        else if (isNews) this.look(containerId, true);
        else if (died) this.clock.after(LOOK_AGAIN_MS, () => this.look(containerId, false));
      })
      .catch((error: unknown) => {
        // The engine is away: the stream will come back and everything is looked at then. Or this call alone has failed.
        this.looking.delete(containerId);
        const isOver = this.lookAgain.delete(containerId) || died || final;
        this.log.debug('cannot look at container', { containerId, error: messageOf(error) });
        if (isOver) this.clock.after(LOOK_AFTER_FAILURE_MS, () => this.look(containerId, true, final));
      });
  }

  private mayBeLateOom(containerId: string, { exitCode, oomKilled }: TaskExit): boolean {
    return exitCode === KILLED && !oomKilled && !this.stopped.has(containerId);
  }

  private tell(containerId: string, exit: TaskExit): void {
    for (const listener of this.waiting.get(containerId) ?? []) listener(exit);
  }

  private async exitNow(containerId: string): Promise<TaskExit | undefined> {
    try {
      const { State } = await this.engine.call('inspect', (docker, signal) =>
        docker.getContainer(containerId).inspect(withSignal({}, signal)),
      );
      return phaseOf(State.Status) === 'exited' ? exitOf(State, this.clock.nowMs()) : undefined;
    } catch (error) {
      if (hasStatus(error, 404)) return removedExit(this.clock.nowMs());
      throw error;
    }
  }

  /** One list call tells which of those we wait for are no longer running; only they are inspected. */
  private async resync(): Promise<void> {
    if (this.waiting.size === 0) return;
    try {
      const running = await this.engine.call('list', (docker, signal) =>
        docker.listContainers(
          withSignal({ filters: { label: [LABELS.workDir], status: ['running', 'paused'] } }, signal),
        ),
      );
      const alive = new Set(running.map(({ Id }) => Id));
      for (const id of this.waiting.keys()) if (!alive.has(id)) this.look(id, false);
    } catch (error) {
      this.log.debug('cannot list containers', { error: messageOf(error) });
    }
  }
}

function gaveUp(): UnavailableError {
  return new UnavailableError('wait', { detail: 'no longer wanted' });
}
