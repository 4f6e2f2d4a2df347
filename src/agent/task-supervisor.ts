import { BerthError, messageOf } from '../core/errors';
import { LIMITS } from '../core/limits';
import { sleep, type Clock } from '../core/ports/clock';
import type { CrashPoints } from '../core/ports/crash-points';
import type { IdSource } from '../core/ports/ids';
import type { Logger } from '../core/ports/logger';
import type { Probe } from '../core/ports/probe';
import type { RecoveredTask, StartedTask, TaskDriver, TaskExit, TaskLaunch } from '../core/ports/task-driver';
import type { Sandboxes } from '../core/ports/sandboxes';
import { isTerminal, type TaskInfo, type TaskState, type TaskStatus } from '../core/records/mesos';
import type { Checkpoints, TaskCheckpoint } from './checkpoint';
import { HealthMonitor, type Vitals } from './health-monitor';
import { retried } from './retry';
import { updateUuid } from './status-uuid';
import type { StatusUpdates } from './status-updates';
import { runningStatus, vitalsIn, type StatusReport } from './running-status';
import { endingOf, KILLED_DURING_LAUNCH, launchFailure, type Ending } from './task-exit';
import { TaskProbe } from './task-probe';

/** What every supervisor shares. */
export interface SupervisorDeps {
  readonly checkpoints: Checkpoints;
  readonly updates: StatusUpdates;
  readonly sandboxes: Sandboxes;
  readonly probe: Probe;
  readonly crashPoints: CrashPoints;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly log: Logger;
  /** Address at which host ports of this node are checked. */
  readonly probeHost: string;
  /** See AgentOptions.nodeAddress. */
  readonly nodeAddress: () => string | undefined;
  /** Milliseconds between SIGTERM and SIGKILL when nobody says. */
  readonly defaultGraceMs: number;
  /** Fires when the master has taken the agent in for the first time since its start. */
  readonly admitted: AbortSignal;
  environment(task: TaskCheckpoint): Record<string, string>;
  /** Called when the task has ended and when something of it has gone; the agent then looks whether to forget it. */
  settled(taskId: string, ending?: Ending): void;
}

/**
 * One task from launch to its last update. Every step is written down before it is done, so a new supervisor can go on from the
 * checkpoint and from what the driver has, wherever the old one died.
 */
export class TaskSupervisor {
  private readonly launching = new AbortController();
  private readonly detached = new AbortController();
  private readonly log: Logger;
  private monitor: HealthMonitor | undefined;
  private following: Promise<void> = Promise.resolve();
  private stopping: { deadlineMs: number; sooner: AbortController } | undefined;
  private finished: Promise<void> = Promise.resolve();
  private foundEnded: Ending | undefined;
  /** A call that was given up may still create the container. */
  private mayComeLate = false;
  /** The agent died between creating the container and starting it. */
  private wasCreated = false;

  constructor(
    private task: TaskCheckpoint,
    private readonly driver: TaskDriver | undefined,
    private readonly deps: SupervisorDeps,
  ) {
    this.log = deps.log.child({ taskId: task.taskId });
  }

  get checkpoint(): TaskCheckpoint {
    return { ...this.task, updates: this.deps.updates.pending(this.task.taskId) };
  }
  get info(): TaskInfo {
    return this.task.info;
  }
  get state(): TaskState {
    return this.task.state;
  }
  /** What the master is told when the agent registers: a task found ended is not alive, although its last update is yet to come. */
  get knownState(): TaskState {
    return this.foundEnded?.state ?? this.task.state;
  }
  get phase(): TaskCheckpoint['phase'] {
    return this.task.phase;
  }

  /** Runs a new task. The checkpoint comes first: without it nothing is started. */
  launch(): void {
    this.run(async () => {
      try {
        await this.deps.sandboxes.create(this.task.frameworkId, this.task.taskId);
        await this.save();
      } catch (error) {
        this.log.error('task cannot be written down', { error: messageOf(error) });
        return this.end(launchFailure(new Error(`The agent cannot write to its disk: ${messageOf(error)}`)));
      }
      this.deps.crashPoints.reach('agent.task-written');
      await this.runFromStart();
    });
  }

  /** Goes on after a restart of the agent, from what the driver found (undefined: no container). */
  resume(found: RecoveredTask | undefined): void {
    this.run(() => this.goOn(found));
  }

  /**
   * Stops the task in whatever phase it is. A repeat does not start the grace period again; a shorter one takes effect. A task
   * that has ended stays as it is: its last update is on the way.
   */
  kill(graceMs: number, cause: 'requested' | 'unhealthy' = 'requested', message?: string): void {
    if (this.task.phase === 'ended') return;
    const requestedAtMs = this.deps.clock.nowMs();
    const old = this.task.kill;
    if (old === undefined || requestedAtMs + graceMs < old.requestedAtMs + old.graceMs)
      this.change({
        kill: { requestedAtMs, graceMs, cause: old?.cause ?? cause, ...(message === undefined ? {} : { message }) },
      });
    this.log.info('task is to be killed', { graceMs, cause });
    this.launching.abort();
    void this.stopOnceWritten(graceMs);
  }

  /** A disk that does not take the wish does not keep the task alive. */
  private async stopOnceWritten(graceMs: number): Promise<void> {
    await this.save().catch((error: unknown) => this.log.error('checkpoint not written', { error: messageOf(error) }));
    if (this.task.phase !== 'started' || this.detached.signal.aborted) return;
    this.deps.crashPoints.reach('agent.kill-written');
    this.stopContainer(graceMs);
  }

  /** Removes the container of an ended task. Throws when the engine refuses. */
  async removeContainer(): Promise<void> {
    await this.driver?.remove(this.task.taskId);
    this.change({ removed: true });
    await this.save();
    this.deps.settled(this.task.taskId);
  }

  /** Stops supervising; the task itself is left alone. */
  async detach(): Promise<void> {
    this.monitor?.stop();
    this.detached.abort();
    this.launching.abort();
    this.stopping?.sooner.abort();
    await Promise.allSettled([this.finished, this.following]);
  }

  private run(work: () => Promise<void>): void {
    this.finished = work().catch((error: unknown) => {
      if (this.detached.signal.aborted) return;
      this.log.error('task supervisor failed', { error: messageOf(error) });
      return this.end(launchFailure(error));
    });
  }

  private async runFromStart(): Promise<void> {
    if (this.driver === undefined) return this.end(launchFailure(new Error(noContainerizer())));
    const outcome = await this.start(this.driver);
    if (this.detached.signal.aborted) return;
    if (!('containerId' in outcome)) return this.end(outcome);
    await this.started(outcome);
    await this.untilExit();
  }

  /** pull, create, start. Answers with how it ended when it did not come to run. */
  private async start(driver: TaskDriver): Promise<StartedTask | Ending> {
    const launch = this.taskLaunch();
    try {
      await this.reported(`pulling image ${this.task.info.container?.docker?.image ?? ''}`, () =>
        this.attempt('pull', () => driver.pull(launch, this.launching.signal)),
      );
      if (this.isKilled()) return this.wasCreated ? await this.abandon(driver) : KILLED_DURING_LAUNCH;
      await this.attempt('create', () => driver.create(launch));
      this.deps.crashPoints.reach('agent.task-created');
      if (this.isKilled()) return await this.abandon(driver);
      return await this.attempt('start', () => driver.start(this.task.taskId));
    } catch (error) {
      if (this.detached.signal.aborted) return KILLED_DURING_LAUNCH;
      if (this.isKilled()) return await this.abandon(driver);
      this.log.warn('task did not start', { error: messageOf(error) });
      await driver.remove(this.task.taskId).catch((failure: unknown) => {
        this.log.warn('what is left of a failed start stays for now', { error: messageOf(failure) });
        this.mayComeLate = true;
      });
      this.removeAgain(driver);
      return launchFailure(error);
    }
  }

  private async abandon(driver: TaskDriver): Promise<Ending> {
    await this.persistently('remove', () => driver.remove(this.task.taskId));
    this.change({ removed: true });
    this.removeAgain(driver);
    return KILLED_DURING_LAUNCH;
  }

  /** An engine that hung may get to what it was asked long after everybody has given it up. */
  private removeAgain(driver: TaskDriver): void {
    if (!this.mayComeLate) return;
    const { signal } = this.detached;
    void sleep(this.deps.clock, LIMITS.lateEngineMs, signal)
      .then(() => this.persistently('remove', () => driver.remove(this.task.taskId)))
      .catch((error: unknown) => this.log.debug('removal ended', { error: messageOf(error) }));
  }

  /** Repeats while the engine does not answer, for LIMITS.taskLaunchMs, and tells what the task waits for. */
  private attempt<T>(what: string, work: () => Promise<T>): Promise<T> {
    const { clock } = this.deps;
    const endMs = clock.monotonicMs() + LIMITS.taskLaunchMs;
    return retried(() => this.noticed(what, work), {
      clock,
      signal: this.launching.signal,
      mayPass: (error, waitMs) => mayPass(error) && clock.monotonicMs() + waitMs < endMs,
      failed: (phase, retryMs) => {
        this.log.warn('docker call will be repeated', { what, error: phase, retryMs });
        if (this.task.latest?.phase !== phase) void this.report({ state: this.task.state, phase, message: phase });
      },
    });
  }

  /** Notes that a call that was given up may have its effect later. */
  private async noticed<T>(what: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (what !== 'pull' && mayPass(error)) this.mayComeLate = true;
      throw error;
    }
  }

  /** Tells the framework what takes so long, if it does. */
  private async reported(phase: string, work: () => Promise<void>): Promise<void> {
    const timer = this.deps.clock.after(LIMITS.phaseReportMs, () => {
      void this.report({ state: 'TASK_STAGING', phase, message: phase });
    });
    try {
      await work();
    } finally {
      timer.cancel();
    }
    if (this.task.kill === undefined) void this.report({ state: 'TASK_STARTING' });
  }

  private async started(container: StartedTask): Promise<void> {
    this.deps.crashPoints.reach('agent.task-started');
    this.change({
      phase: 'started',
      startedAtMs: this.deps.clock.nowMs(),
      container: containerOf(container),
    });
    this.log.info('task runs', { containerId: container.containerId });
    await this.report(runningStatus(this.task, undefined));
    if (this.task.kill !== undefined) this.stopContainer(this.task.kill.graceMs);
  }

  /** From RUNNING to the end. */
  private async untilExit(): Promise<void> {
    const driver = this.driver;
    if (driver === undefined) return;
    this.follow(driver);
    this.watchHealth(driver);
    let exit: TaskExit;
    try {
      exit = await this.persistently('wait', () => driver.wait(this.task.taskId, this.detached.signal));
    } finally {
      this.monitor?.stop();
      this.stopping?.sooner.abort();
    }
    if (this.detached.signal.aborted) return;
    this.deps.crashPoints.reach('agent.task-ended');
    if (this.task.kill?.cause === 'requested') await this.clearAway(driver);
    await this.end(endingOf(exit, this.task.kill), exit.finishedAtMs);
  }

  /** What was killed on request is removed before it is reported: when all tasks are gone, so are their containers. */
  private async clearAway(driver: TaskDriver): Promise<void> {
    const drained = new AbortController();
    const limit = sleep(this.deps.clock, LIMITS.logDrainMs, drained.signal);
    await Promise.race([this.following, limit]);
    drained.abort();
    try {
      await driver.remove(this.task.taskId);
      this.deps.crashPoints.reach('agent.container-removed');
      this.change({ removed: true });
    } catch (error) {
      this.log.warn('container of a killed task stays for now', { error: messageOf(error) });
    }
  }

  private async goOn(found: RecoveredTask | undefined): Promise<void> {
    if (this.task.phase === 'ended') return this.deps.settled(this.task.taskId);
    if (found !== undefined && found.phase !== 'created') this.change({ container: containerOf(found) });
    if (found?.phase === 'exited' && found.exit !== undefined) {
      this.foundEnded = endingOf(found.exit, this.task.kill);
      await this.recoverOutput();
      if (this.task.kill?.cause === 'requested' && this.driver !== undefined) await this.clearAway(this.driver);
      return this.end(endingOf(found.exit, this.task.kill), found.exit.finishedAtMs);
    }
    if (found?.phase === 'running') return this.goOnRunning(found);
    if (this.task.phase === 'started') {
      const message = 'The container was gone when the agent came back';
      const exit = { oomKilled: false, message, finishedAtMs: this.deps.clock.nowMs() };
      this.change({ removed: true });
      return this.end(endingOf(exit, this.task.kill));
    }
    if (this.task.kill !== undefined && this.driver !== undefined) return this.end(await this.abandon(this.driver));
    this.wasCreated = found !== undefined;
    await this.admission();
    if (!this.detached.signal.aborted) await this.runFromStart();
  }

  /**
   * What never ran is started only for a master that still knows this agent: meanwhile another agent may run it, and a copied disk
   * must not start it a second time. Ends early when the task is killed.
   */
  private admission(): Promise<void> {
    return fired(AbortSignal.any([this.deps.admitted, this.launching.signal]));
  }

  private async goOnRunning(found: RecoveredTask): Promise<void> {
    // A crash between start and its checkpoint: the task runs, but nobody was told.
    if (this.task.phase !== 'started' || this.task.state !== 'TASK_RUNNING') await this.started(found);
    else if (this.task.kill !== undefined) {
      const { requestedAtMs, graceMs } = this.task.kill;
      const passedMs = Math.max(0, this.deps.clock.nowMs() - requestedAtMs);
      this.stopContainer(Math.max(0, graceMs - passedMs));
    }
    await this.untilExit();
  }

  /** The rest of the output of a task that ended while the agent was away. */
  private async recoverOutput(): Promise<void> {
    if (this.driver === undefined) return;
    this.follow(this.driver);
    const stop = new AbortController();
    await Promise.race([this.following, sleep(this.deps.clock, LIMITS.logDrainMs, stop.signal)]);
    stop.abort();
  }

  private follow(driver: TaskDriver): void {
    this.following = driver
      .followLogs(this.task.taskId, this.task.sandbox, this.detached.signal)
      .catch((error: unknown) => this.log.warn('output of a task is lost', { error: messageOf(error) }));
  }

  private watchHealth(driver: TaskDriver): void {
    const { clock, probe, probeHost, nodeAddress } = this.deps;
    const { container, info, taskId, startedAtMs = clock.nowMs() } = this.task;
    const target = {
      taskId,
      host: probeHost,
      elsewhere: nodeAddress,
      isolated: info.container?.docker?.network === 'NONE',
      ...(container?.ipAddress === undefined ? {} : { container: container.ipAddress }),
    };
    // While the agent was away the wall clock may have been set: what has never been well gets its full grace again.
    const vitals = vitalsIn(this.task);
    const wasWell = [vitals?.own, ...(vitals?.health ?? [])].some((result) => result?.alive === true);
    const runsForMs = wasWell ? Math.max(0, clock.nowMs() - startedAtMs) : 0;
    this.monitor = new HealthMonitor(info, new TaskProbe(probe, driver, target), clock, runsForMs, vitals, {
      changed: (vitals) => this.vitalsChanged(vitals),
      failed: (cause) => this.kill(graceOf(info) ?? this.deps.defaultGraceMs, 'unhealthy', cause),
    });
    this.monitor.start();
  }

  private vitalsChanged(vitals: Vitals): void {
    if (this.task.phase !== 'started') return;
    void this.report({
      ...runningStatus(this.task, vitals),
      reason: 'REASON_TASK_HEALTH_CHECK_STATUS_UPDATED',
      message: 'Health or readiness of the task changed',
    });
  }

  /** Asks the driver to stop the container until it has ended. A shorter grace joins the one under way. */
  private stopContainer(graceMs: number): void {
    const { clock } = this.deps;
    const deadlineMs = clock.monotonicMs() + graceMs;
    if (this.stopping !== undefined && this.stopping.deadlineMs <= deadlineMs) return;
    this.stopping?.sooner.abort();
    const sooner = new AbortController();
    this.stopping = { deadlineMs, sooner };
    void this.persistently('stop', () => this.stopOnce(deadlineMs, sooner.signal), sooner.signal).catch(
      (error: unknown) => this.log.debug('stop ended', { error: messageOf(error) }),
    );
  }

  /**
   * Throws as long as the container has not ended. dockerd answers that a container is stopped when its process is gone, although it
   * waits itself for the news of that end; when containerd and the shim died with it, only another stop makes it look.
   */
  private async stopOnce(deadlineMs: number, ended: AbortSignal): Promise<void> {
    const { clock } = this.deps;
    await this.driver?.stop(this.task.taskId, Math.max(0, deadlineMs - clock.monotonicMs()));
    await sleep(clock, LIMITS.stopAgainMs, ended);
    if (!ended.aborted) throw new Error('Docker says that the container is stopped, and that it runs');
  }

  /** Repeats, with pauses, until the engine has done it or nobody wants it any more. */
  private persistently<T>(what: string, work: () => Promise<T>, until = this.detached.signal): Promise<T> {
    return retried(work, {
      clock: this.deps.clock,
      signal: until,
      failed: (error, retryMs) => this.log.warn('docker call will be repeated', { what, error, retryMs }),
    });
  }

  private async end(ending: Ending, endedAtMs = this.deps.clock.nowMs()): Promise<void> {
    if (this.detached.signal.aborted || this.task.phase === 'ended') return;
    this.monitor?.stop();
    this.change({ phase: 'ended', endedAtMs });
    this.log.info('task ended', { state: ending.state, reason: ending.reason, cause: ending.message });
    await this.report(ending);
    this.deps.settled(this.task.taskId, ending);
  }

  /** Writes an update down, then lets it go. A disk that does not take it delays nothing: the master must hear. */
  private async report(what: StatusReport): Promise<void> {
    if (isTerminal(this.task.state)) return;
    const { clock, ids, updates } = this.deps;
    const uuid = updateUuid(ids);
    const status: TaskStatus = {
      ...what,
      task_id: { value: this.task.taskId },
      agent_id: { value: this.task.agentId },
      executor_id: { value: this.task.taskId },
      source: what.state === 'TASK_STAGING' ? 'SOURCE_AGENT' : 'SOURCE_EXECUTOR',
      timestamp: Math.round(clock.nowMs()) / 1_000,
      uuid,
    };
    this.change({ state: what.state, latest: status });
    updates.add(this.task.taskId, this.task.frameworkId, status);
    await this.save().catch((error: unknown) =>
      this.log.error('an update cannot be written down', { error: messageOf(error) }),
    );
    if (what.state === 'TASK_RUNNING') this.deps.crashPoints.reach('agent.running-written');
    if (isTerminal(what.state)) this.deps.crashPoints.reach('agent.end-written');
    updates.markReady(this.task.taskId, uuid);
  }

  private taskLaunch(): TaskLaunch {
    const { taskId, frameworkId, agentId, info, sandbox } = this.task;
    return { taskId, frameworkId, agentId, info, sandbox, environment: this.deps.environment(this.task) };
  }

  private isKilled(): boolean {
    return this.task.kill !== undefined;
  }

  private change(part: Partial<TaskCheckpoint>): void {
    this.task = { ...this.task, ...part };
  }

  /** Also called by the agent when an update was acknowledged. */
  save(): Promise<void> {
    return this.deps.checkpoints.save(this.task.taskId, () => this.checkpoint);
  }
}

/** The engine did not answer, or not in time. */
function mayPass(error: unknown): boolean {
  return error instanceof BerthError && error.retryable;
}

function fired(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** The task's own kill policy, milliseconds. */
export function graceOf(info: TaskInfo): number | undefined {
  const nanoseconds = info.kill_policy?.grace_period?.nanoseconds;
  return nanoseconds === undefined ? undefined : nanoseconds / 1e6;
}

function containerOf({ containerId, containerName, ipAddress }: StartedTask): TaskCheckpoint['container'] {
  return { id: containerId, name: containerName, ...(ipAddress === undefined ? {} : { ipAddress }) };
}

/** Mesos' words. */
function noContainerizer(): string {
  return 'None of the enabled containerizers could create a container for the provided TaskInfo';
}
