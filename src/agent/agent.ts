import { messageOf } from '../core/errors';
import { LIMITS } from '../core/limits';
import type { AgentInfo, AgentLink, KnownTask } from '../core/ports/agent-link';
import type { CheckpointStore } from '../core/ports/checkpoint';
import { sleep, type Clock } from '../core/ports/clock';
import { NO_CRASH_POINTS, type CrashPoints } from '../core/ports/crash-points';
import type { IdSource } from '../core/ports/ids';
import type { Logger } from '../core/ports/logger';
import type { Metrics } from '../core/ports/metrics';
import type { Probe } from '../core/ports/probe';
import type { Random } from '../core/ports/random';
import type { Sandboxes } from '../core/ports/sandboxes';
import type { RecoveredTask, TaskDriver } from '../core/ports/task-driver';
import type { Attribute, Resource, TaskInfo, TaskState, TaskStatus } from '../core/records/mesos';
import { isTerminal } from '../core/records/mesos';
import { AgentMetrics } from './agent-metrics';
import { Checkpoints, type TaskCheckpoint } from './checkpoint';
import { GarbageCollector } from './garbage-collector';
import { MasterSession, type SessionEvent, type SubscribeCall } from './master-session';
import { agentIdOf, planRecovery, type FoundContainer, type RecoveryStep } from './recovery';
import { retried } from './retry';
import { StatusUpdates } from './status-updates';
import type { Ending } from './task-exit';
import { taskEnvironment } from './task-environment';
import { graceOf, TaskSupervisor, type SupervisorDeps } from './task-supervisor';
import { UnknownTasks } from './unknown-tasks';
import { UsageSampler, type UsageSample } from './usage-sampler';

export interface AgentOptions {
  readonly hostname: string;
  /** Port of the agent's HTTP server, as told to the master. */
  readonly port: number;
  readonly resources: readonly Resource[];
  readonly attributes: readonly Attribute[];
  readonly region?: string;
  readonly zone?: string;
  readonly version: string;
  /** The node's address, given to tasks as LIBPROCESS_IP. */
  readonly ip?: string;
  /** Where host ports of tasks are checked; default 127.0.0.1. */
  readonly probeHost?: string;
  /** An address of this node that is not loopback, as it is now: published ports that `probeHost` refuses are tried there. */
  readonly nodeAddress?: () => string | undefined;
  /** Milliseconds from SIGTERM to SIGKILL when neither kill nor task says; default 5 s (Mesos: executor_shutdown_grace_period). */
  readonly defaultGraceMs?: number;
  /** Containers of tasks that ended by themselves are kept so long to be looked at; default 10 min (Mesos: 6 h). */
  readonly removeDelayMs?: number;
  /** Sandboxes of ended tasks are kept so long, less on a disk that fills up; default 1 week (Mesos: gc_delay). */
  readonly gcDelayMs?: number;
}

export interface AgentDeps {
  readonly link: AgentLink;
  /** In order of preference: the first that supports a task runs it. */
  readonly drivers: readonly TaskDriver[];
  readonly probe: Probe;
  readonly checkpoints: CheckpointStore;
  readonly sandboxes: Sandboxes;
  readonly clock: Clock;
  readonly random: Random;
  readonly ids: IdSource;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Default: none. */
  readonly crashPoints?: CrashPoints;
  /** Called when this agent can do nothing more, e.g. because it cannot read its own disk. A new process may do better; tasks go on. */
  readonly gaveUp?: (reason: string) => void;
}

export type AgentState = 'recovering' | 'connecting' | 'registered' | 'shutdown' | 'stopped';

/** A task as the agent's HTTP face shows it. */
export interface TaskView {
  readonly taskId: string;
  readonly frameworkId: string;
  readonly state: TaskState;
  readonly info: TaskInfo;
  readonly sandbox: string;
  readonly containerId?: string;
  readonly containerName?: string;
  readonly latest?: TaskStatus;
}

const WEEK_MS = 7 * 24 * 3_600_000;

/**
 * One node of the cluster: registers with the leading master, runs what it is told to, reports what happens. Tasks do not depend on
 * it: it can die and come back at any moment and finds them as they are.
 */
export class Agent {
  private readonly tasks = new Map<string, TaskSupervisor>();
  private readonly checkpoints: Checkpoints;
  private readonly updates: StatusUpdates;
  private readonly session: MasterSession;
  private readonly sampler: UsageSampler;
  private readonly counters: AgentMetrics;
  private readonly garbage: GarbageCollector;
  private readonly strangers: UnknownTasks;
  private readonly stopping = new AbortController();
  private readonly admitted = new AbortController();
  private readonly crashPoints: CrashPoints;
  private readonly runId: string;
  private running: Promise<void> = Promise.resolve();
  private agentId: string | undefined;
  private attempts = 0;
  private current: AgentState = 'recovering';
  private why = 'the agent has just started';
  private unknown: readonly string[] = [];

  constructor(
    private readonly options: AgentOptions,
    private readonly deps: AgentDeps,
  ) {
    const { clock, log, link, random, ids } = deps;
    this.crashPoints = deps.crashPoints ?? NO_CRASH_POINTS;
    this.runId = ids.uuid();
    this.checkpoints = new Checkpoints(deps.checkpoints, log);
    this.updates = new StatusUpdates(clock, log);
    this.strangers = new UnknownTasks(this.updates, clock, ids);
    const keep = { containerMs: options.removeDelayMs ?? 600_000, sandboxMs: options.gcDelayMs ?? WEEK_MS };
    this.garbage = new GarbageCollector(this.tasks, deps.sandboxes, keep, clock, log);
    this.session = new MasterSession(
      link,
      {
        subscribe: () => this.subscribeCall(),
        agentId: () => this.agentId ?? '',
        event: (event) => this.hear(event),
        closed: (reason) => this.disconnected(reason),
      },
      clock,
      random,
      log,
    );
    this.sampler = new UsageSampler(
      { taskIds: () => this.runningIds(), usage: (taskId) => this.driverOf(taskId).usage(taskId) },
      clock,
      log,
    );
    this.counters = new AgentMetrics(deps.metrics, {
      tasks: () => this.list().filter((task) => !isTerminal(task.state)),
      hostname: options.hostname,
      resources: options.resources,
      agentId: () => this.agentId,
      isRegistered: () => this.current === 'registered',
      pendingUpdates: () => this.updates.size,
      unknownContainers: () => this.unknown.length,
      usage: () => this.sampler.latest(),
    });
  }

  /** Recovers, then keeps a session with the master until stop(). Returns at once. */
  start(): void {
    this.running = this.run().catch((error: unknown) => {
      if (this.stopping.signal.aborted) return;
      this.log.error('the agent gave up', { error: messageOf(error) });
      this.become('stopped', messageOf(error));
      this.deps.gaveUp?.(messageOf(error));
    });
  }

  /** Ends the session and all watching. Tasks go on. */
  async stop(): Promise<void> {
    this.stopping.abort();
    this.updates.disconnected();
    await Promise.allSettled([...this.tasks.values()].map((task) => task.detach()));
    await this.running;
    if (this.current !== 'shutdown') this.become('stopped', 'the agent was stopped');
  }

  /** Where the agent stands, and why it is not registered if it is not. */
  status(): { readonly state: AgentState; readonly reason: string; readonly agentId?: string } {
    const state = { state: this.current, reason: this.why };
    return this.agentId === undefined ? state : { ...state, agentId: this.agentId };
  }

  /** Every task the agent knows, ended ones that it has not forgotten included. */
  list(): TaskView[] {
    return [...this.tasks.values()].map((task) => viewOf(task.checkpoint));
  }

  task(taskId: string): TaskView | undefined {
    const task = this.tasks.get(taskId);
    return task === undefined ? undefined : viewOf(task.checkpoint);
  }

  /** What running tasks use, not older than LIMITS.usageAgeMs. */
  usage(): Promise<ReadonlyMap<string, UsageSample>> {
    return this.sampler.fresh();
  }

  get info(): AgentInfo {
    const { hostname, port, resources, attributes, version, region, zone } = this.options;
    return {
      ...(this.agentId === undefined ? {} : { id: this.agentId }),
      hostname,
      port,
      resources,
      attributes,
      containerizers: this.deps.drivers.map((driver) => driver.name),
      ...(region === undefined ? {} : { region }),
      ...(zone === undefined ? {} : { zone }),
      version,
      runId: this.runId,
    };
  }

  private get log(): Logger {
    return this.deps.log;
  }

  private async run(): Promise<void> {
    await this.recover();
    if (this.stopping.signal.aborted) return;
    this.become('connecting', 'looking for the leading master');
    const { signal } = this.stopping;
    void this.lookAgain();
    await Promise.all([this.session.run(signal), this.garbage.run(signal)]);
  }

  /** An engine that hung while the agent was away may create what was asked of it only after the agent has looked. */
  private async lookAgain(): Promise<void> {
    const { clock, drivers } = this.deps;
    await sleep(clock, LIMITS.lateEngineMs, this.stopping.signal);
    if (this.stopping.signal.aborted) return;
    for (const driver of drivers)
      try {
        for (const found of await driver.recover())
          if (found.phase === 'created' && !this.tasks.has(found.taskId))
            await this.discard({ kind: 'discard', driver: driver.name, found });
      } catch (error) {
        this.log.debug('no second look at containers', { driver: driver.name, error: messageOf(error) });
      }
  }

  private async recover(): Promise<void> {
    const { tasks, agentId, setAside } = await this.checkpoints.load();
    this.counters.checkpointsSetAside(setAside.length);
    const containers = await this.findContainers();
    this.agentId = agentIdOf(agentId, tasks, containers);
    if (this.agentId !== undefined && agentId === undefined) await this.saveAgentId(this.agentId);
    const steps = planRecovery(tasks, containers, (framework, task) => this.deps.sandboxes.pathOf(framework, task));
    for (const step of steps) await this.recoverOne(step);
    this.log.info('recovered', {
      agentId: this.agentId,
      taskCount: this.tasks.size,
      containerCount: containers.length,
    });
  }

  /** Waits for every driver: without knowing what runs the agent must not tell the master what runs. */
  private async findContainers(): Promise<FoundContainer[]> {
    const found: FoundContainer[] = [];
    for (const driver of this.deps.drivers) {
      const tasks = await retried(() => driver.recover(), {
        clock: this.deps.clock,
        signal: this.stopping.signal,
        failed: (error, retryMs) => {
          this.become('recovering', error);
          this.log.warn('cannot see which tasks run', { driver: driver.name, error, retryMs });
        },
      });
      found.push(...tasks.map((task) => ({ driver: driver.name, task })));
    }
    return found;
  }

  private async recoverOne(step: RecoveryStep): Promise<void> {
    this.crashPoints.reach('agent.task-recovering');
    if (step.kind === 'report') return this.leaveAlone(step.found);
    if (step.kind === 'discard') return this.discard(step);
    if (step.kind === 'adopt') {
      const { taskId, frameworkId } = step.checkpoint;
      this.log.warn('task taken over without a checkpoint', { taskId, containerId: step.found.containerId });
      await this.deps.sandboxes.create(frameworkId, taskId);
    }
    const { checkpoint } = step;
    for (const status of checkpoint.updates) this.updates.add(checkpoint.taskId, checkpoint.frameworkId, status, true);
    this.supervise(checkpoint).resume(step.found);
  }

  private leaveAlone({ taskId, containerId, phase }: RecoveredTask): void {
    this.unknown = [...this.unknown, containerId];
    this.log.error('a container of ours cannot be taken over and is left alone', { taskId, containerId, phase });
  }

  /** Before the master hears of us: it may want the same task to be started here. */
  private async discard({ driver, found }: Extract<RecoveryStep, { kind: 'discard' }>): Promise<void> {
    const { taskId, containerId } = found;
    try {
      await this.deps.drivers.find((candidate) => candidate.name === driver)?.remove(taskId);
      this.log.warn('a container that never ran and has no checkpoint was removed', { taskId, containerId });
    } catch (error) {
      this.log.warn('a container that never ran cannot be removed', { taskId, error: messageOf(error) });
      this.leaveAlone(found);
    }
  }

  private supervise(checkpoint: TaskCheckpoint): TaskSupervisor {
    const driver = this.deps.drivers.find((candidate) => candidate.name === checkpoint.driver);
    const supervisor = new TaskSupervisor(checkpoint, driver, this.supervisorDeps());
    this.tasks.set(checkpoint.taskId, supervisor);
    return supervisor;
  }

  private supervisorDeps(): SupervisorDeps {
    const { sandboxes, probe, clock, ids, log } = this.deps;
    return {
      checkpoints: this.checkpoints,
      updates: this.updates,
      sandboxes,
      probe,
      crashPoints: this.crashPoints,
      admitted: this.admitted.signal,
      clock,
      ids,
      log,
      probeHost: this.options.probeHost ?? '127.0.0.1',
      nodeAddress: () => this.options.nodeAddress?.(),
      defaultGraceMs: this.options.defaultGraceMs ?? 5_000,
      environment: (task) => {
        const { hostname, port, ip } = this.options;
        const { agentId, frameworkId, taskId, sandbox } = task;
        const facts = { hostname, port, agentId, frameworkId, taskId, sandbox };
        return taskEnvironment(ip === undefined ? facts : { ...facts, ip }, task.info);
      },
      settled: (taskId, ending) => this.settled(taskId, ending),
    };
  }

  private subscribeCall(): SubscribeCall {
    const attempt = ++this.attempts;
    return { type: 'SUBSCRIBE', subscribe: { agent: this.info, tasks: this.knownTasks(), attempt } };
  }

  /** Live tasks, and ended ones whose last update is not acknowledged. */
  private knownTasks(): KnownTask[] {
    const known: KnownTask[] = [];
    for (const [taskId, task] of this.tasks) {
      const isSettled = this.updates.pending(taskId).length === 0;
      if (task.phase === 'ended' && isSettled) continue;
      const { frameworkId, latest } = task.checkpoint;
      const settled = isSettled && latest !== undefined ? { latest } : {};
      known.push({ info: task.info, frameworkId, state: task.knownState, ...settled });
    }
    return known;
  }

  private hear(event: SessionEvent): void {
    switch (event.type) {
      case 'SUBSCRIBED':
        return this.registered(event.subscribed.agentId);
      case 'LAUNCH':
        for (const { frameworkId, info } of event.launch.tasks) this.launch(frameworkId, info);
        return;
      case 'KILL':
        return this.kill(event.kill.taskId, event.kill.frameworkId, event.kill.graceMs);
      case 'ACKNOWLEDGE':
        for (const { taskId, uuid } of event.acknowledge.updates) this.acknowledged(taskId, uuid);
        return;
      case 'SHUTDOWN':
        return this.shutDown(event.shutdown.message);
      case 'ERROR':
        this.log.error('the master reports an error', { error: event.error.message });
    }
  }

  private registered(agentId: string): void {
    const changed = this.agentId !== agentId;
    this.agentId = agentId;
    this.become('registered', `registered as ${agentId}`);
    this.log.info('registered', { agentId });
    this.admitted.abort();
    const connect = () =>
      this.updates.connected((updates) => this.session.send({ type: 'UPDATE', agentId, update: { updates } }));
    if (!changed) return connect();
    this.crashPoints.reach('agent.id-given');
    void this.saveAgentId(agentId).then(connect);
  }

  private async saveAgentId(agentId: string): Promise<void> {
    await this.checkpoints
      .saveAgent(agentId)
      .catch((error: unknown) =>
        this.log.error('the agent id cannot be written down', { agentId, error: messageOf(error) }),
      );
  }

  private disconnected(reason: string): void {
    this.updates.disconnected();
    if (this.current !== 'shutdown') this.become('connecting', reason);
  }

  /** The master does not want this agent any more. Tasks are left alone: only people can know what to do with them. */
  private shutDown(message: string): void {
    this.become('shutdown', message);
    this.log.error('the master has sent this agent away; tasks are left running', { error: message });
    this.stopping.abort();
    this.updates.disconnected();
  }

  private launch(frameworkId: string, info: TaskInfo): void {
    const taskId = info.task_id.value;
    if (this.tasks.has(taskId)) return;
    if (this.strangers.has(taskId)) return this.strangers.launched(taskId, frameworkId, this.agentId ?? '');
    const driver = this.deps.drivers.find((candidate) => candidate.supports(info));
    this.log.info('task launched', { taskId, driver: driver?.name });
    this.supervise({
      version: 1,
      taskId,
      frameworkId,
      agentId: this.agentId ?? info.agent_id.value,
      driver: driver?.name ?? '',
      info,
      sandbox: this.deps.sandboxes.pathOf(frameworkId, taskId),
      phase: 'launching',
      state: 'TASK_STAGING',
      updates: [],
    }).launch();
  }

  private kill(taskId: string, frameworkId: string, graceMs: number | undefined): void {
    const task = this.tasks.get(taskId);
    if (task !== undefined) return task.kill(graceMs ?? graceOf(task.info) ?? this.options.defaultGraceMs ?? 5_000);
    this.strangers.killed(taskId, frameworkId, this.agentId ?? '');
  }

  private acknowledged(taskId: string, uuid: string): void {
    if (!this.updates.acknowledge(taskId, uuid)) return;
    this.crashPoints.reach('agent.update-acknowledged');
    const task = this.tasks.get(taskId);
    if (task === undefined) return;
    if (this.isForgettable(task)) return void this.forget(taskId);
    // A crash before this is written makes the update be sent again, which is harmless.
    task
      .save()
      .catch((error: unknown) => this.log.error('checkpoint not written', { taskId, error: messageOf(error) }));
  }

  private settled(taskId: string, ending: Ending | undefined): void {
    if (ending !== undefined) this.counters.ended(ending.state, ending.reason);
    const task = this.tasks.get(taskId);
    if (task !== undefined && this.isForgettable(task)) void this.forget(taskId);
  }

  /** It has ended, the master knows, and nothing of it is left but its sandbox. */
  private isForgettable(task: TaskSupervisor): boolean {
    const { taskId, phase, removed, container } = task.checkpoint;
    const hasContainer = removed !== true && container !== undefined;
    return phase === 'ended' && !hasContainer && this.updates.pending(taskId).length === 0;
  }

  private async forget(taskId: string): Promise<void> {
    this.tasks.delete(taskId);
    try {
      await this.checkpoints.remove(taskId);
    } catch (error) {
      this.log.error('a checkpoint cannot be removed', { taskId, error: messageOf(error) });
    }
  }

  private runningIds(): string[] {
    return this.list()
      .filter((task) => task.state === 'TASK_RUNNING')
      .map((task) => task.taskId);
  }

  private driverOf(taskId: string): TaskDriver {
    const name = this.tasks.get(taskId)?.checkpoint.driver;
    const driver = this.deps.drivers.find((candidate) => candidate.name === name);
    if (driver === undefined) throw new Error(`no driver for task ${taskId}`);
    return driver;
  }

  private become(state: AgentState, why: string): void {
    this.current = state;
    this.why = why;
  }
}

function viewOf({ taskId, frameworkId, state, info, sandbox, container, latest }: TaskCheckpoint): TaskView {
  return {
    taskId,
    frameworkId,
    state,
    info,
    sandbox,
    ...(container === undefined ? {} : { containerId: container.id, containerName: container.name }),
    ...(latest === undefined ? {} : { latest }),
  };
}
