import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import type Docker from 'dockerode';
import { messageOf, NotFoundError, TimeoutError, UnavailableError } from '../../core/errors';
import { LIMITS } from '../../core/limits';
import type { Clock } from '../../core/ports/clock';
import type { Logger } from '../../core/ports/logger';
import type { Metrics } from '../../core/ports/metrics';
import {
  TaskDriverError,
  type RecoveredTask,
  type StartedTask,
  type TaskDriver,
  type TaskExit,
  type TaskLaunch,
  type TaskUsage,
} from '../../core/ports/task-driver';
import { taskInfoSchema, type TaskInfo } from '../../core/records/mesos';
import { execIn, type ExecOptions } from './container-exec';
import { exitOf, phaseOf, removedExit } from './container-exit';
import { containerName, LABELS, originalOf } from './container-names';
import { containerOptions } from './container-options';
import { usageOf } from './container-usage';
import { DockerEngine, withSignal, type EngineAddress, type EngineFacts } from './engine';
import { EngineRefusal, hasStatus } from './engine-error';
import { ExitWatch } from './exit-watch';
import { ImagePuller } from './image-puller';
import { LogFollower } from './log-follower';
import { StartSlots } from './start-slots';

export interface DockerDriverOptions {
  readonly address: EngineAddress;
  /** Label on containers. */
  readonly cluster: string;
  /** The agent's work directory: containers are told apart by it when several agents share an engine. */
  readonly workDir: string;
  /** A Docker `config.json` with registry logins. */
  readonly dockerConfig?: string;
  /** Creates and starts at once; default: the number of cores. */
  readonly parallelStarts?: number;
}

interface Container {
  readonly id: string;
  readonly name: string;
}

type Inspection = Docker.ContainerInspectInfo;

/** Runs tasks as Docker containers (Mesos: the Docker containerizer). See TaskDriver for what callers may rely on. */
export class DockerDriver implements TaskDriver {
  readonly name = 'docker';
  private readonly engine: DockerEngine;
  private readonly exits: ExitWatch;
  private readonly images: ImagePuller;
  private readonly logs: LogFollower;
  private readonly slots: StartSlots;
  /** Containers by task id, as far as this process has seen them. */
  private readonly containers = new Map<string, Container>();

  private readonly options: DockerDriverOptions;

  constructor(
    options: DockerDriverOptions,
    private readonly clock: Clock,
    private readonly log: Logger,
    metrics: Metrics,
  ) {
    // However the folder was written, its containers must be found again.
    this.options = { ...options, workDir: resolve(options.workDir) };
    this.engine = new DockerEngine(options.address, metrics);
    this.exits = new ExitWatch(this.engine, this.options.workDir, clock, log);
    this.images = new ImagePuller(this.engine, options.dockerConfig, log, metrics);
    this.logs = new LogFollower(this.engine, clock, log);
    this.slots = new StartSlots(options.parallelStarts ?? availableParallelism());
  }

  supports(info: TaskInfo): boolean {
    return info.container?.type === 'DOCKER' && info.container.docker !== undefined;
  }

  /** Asks the engine for its version and settings and warns of what makes it unfit. Throws UnavailableError. */
  async check(): Promise<EngineFacts> {
    const facts = await this.engine.facts();
    if (!facts.liveRestore)
      this.log.warn('docker live-restore is off: a restart of dockerd will kill every task on this node', {
        fix: 'put {"live-restore": true} into /etc/docker/daemon.json and reload dockerd',
      });
    return facts;
  }

  /** Resolves when the engine answers. Throws UnavailableError or TimeoutError. */
  async ping(): Promise<void> {
    await this.engine.ping();
  }

  async pull(task: TaskLaunch, signal: AbortSignal): Promise<void> {
    const docker = task.info.container?.docker;
    if (docker === undefined) throw launchFailed('pull', 'no DockerInfo found in container info');
    await this.images.ensure(docker.image, docker.force_pull_image ?? false, signal);
  }

  async create(task: TaskLaunch): Promise<void> {
    const options = containerOptions(task, this.options);
    const name = containerName(task.agentId, task.taskId);
    try {
      const container = await this.slots.run('create', () =>
        this.engine.call('create', (docker, signal) => docker.createContainer(withSignal(options, signal))),
      );
      this.containers.set(task.taskId, { id: container.id, name });
    } catch (error) {
      if (hasStatus(error, 409)) return this.adopt(task.taskId, name);
      throw error instanceof EngineRefusal ? launchFailed('create', error.message, error) : error;
    }
  }

  async start(taskId: string): Promise<StartedTask> {
    const container = await this.find(taskId);
    try {
      await this.slots.run('start', () =>
        this.engine.call('start', (docker, signal) => docker.getContainer(container.id).start(withSignal({}, signal))),
      );
    } catch (error) {
      if (!hasStatus(error, 304)) throw await this.startFailure(taskId, error);
    }
    const address = await this.inspect(container.id).then(addressOf, (error: unknown) => {
      // Gone already: wait() will tell.
      if (hasStatus(error, 404)) return undefined;
      throw error;
    });
    return {
      containerId: container.id,
      containerName: container.name,
      ...(address === undefined ? {} : { ipAddress: address }),
    };
  }

  async wait(taskId: string, signal: AbortSignal): Promise<TaskExit> {
    const container = await this.findIfAny(taskId);
    return container === undefined ? removedExit(this.clock.nowMs()) : this.exits.wait(container.id, signal);
  }

  async stop(taskId: string, graceMs: number): Promise<void> {
    const container = await this.findIfAny(taskId);
    if (container === undefined) return;
    const seconds = Math.ceil(graceMs / 1_000);
    this.exits.expectStop(container.id);
    try {
      await this.engine.call(
        'stop',
        (docker, signal) => docker.getContainer(container.id).stop(withSignal({ t: seconds }, signal)),
        { timeoutMs: seconds * 1_000 + LIMITS.dockerCallMs },
      );
    } catch (error) {
      if (!hasStatus(error, 304, 404)) throw retryable('stop', error);
    }
    this.exits.ended(container.id);
  }

  async remove(taskId: string): Promise<void> {
    const container = await this.findIfAny(taskId);
    if (container === undefined) return;
    try {
      await this.engine.call('remove', (docker, signal) =>
        docker.getContainer(container.id).remove(withSignal({ force: true, v: true }, signal)),
      );
    } catch (error) {
      // 409: somebody removes it already.
      if (!hasStatus(error, 404, 409)) throw retryable('remove', error);
    }
    this.containers.delete(taskId);
  }

  async exec(
    taskId: string,
    command: readonly string[],
    options: ExecOptions,
  ): Promise<{ readonly exitCode: number; readonly output: string }> {
    const container = await this.find(taskId);
    return execIn(this.engine, container.id, command, options);
  }

  async followLogs(taskId: string, sandbox: string, signal: AbortSignal): Promise<void> {
    const container = await this.find(taskId);
    await this.logs.follow(container.id, sandbox, signal);
  }

  async usage(taskId: string): Promise<TaskUsage> {
    const container = await this.find(taskId);
    const stats: unknown = await this.engine.call('stats', (docker, signal) =>
      docker.getContainer(container.id).stats(withSignal({ stream: false as const, 'one-shot': true }, signal)),
    );
    const usage = usageOf(stats);
    if (usage === undefined) throw new NotFoundError('running task', taskId);
    return usage;
  }

  async recover(): Promise<readonly RecoveredTask[]> {
    const filters = { label: [`${LABELS.workDir}=${this.options.workDir}`] };
    const list = await this.engine.call('list', (docker, signal) =>
      docker.listContainers(withSignal({ all: true, filters }, signal)),
    );
    const taskIds = new Set(list.map(({ Labels }) => Labels[LABELS.task]));
    const found: RecoveredTask[] = [];
    for (const taskId of taskIds) {
      const sameTask = list.filter(({ Labels }) => Labels[LABELS.task] === taskId);
      const original = originalOf(sameTask);
      if (taskId === undefined || original === undefined) continue;
      for (const { Id } of sameTask)
        if (Id !== original.Id)
          this.log.warn('a copy of a container of ours is left alone', { taskId, containerId: Id });
      const task = await this.recovered(original.Id, taskId, original.Labels);
      if (task !== undefined) found.push(task);
    }
    return found;
  }

  /** Stops listening to the engine. Containers go on. */
  async close(): Promise<void> {
    await this.exits.stop();
    this.engine.close();
  }

  private async recovered(
    id: string,
    taskId: string,
    labels: Readonly<Record<string, string>>,
  ): Promise<RecoveredTask | undefined> {
    const inspection = await this.inspect(id).catch((error: unknown) => {
      if (hasStatus(error, 404)) return undefined;
      throw error;
    });
    if (inspection === undefined) return undefined;
    const name = inspection.Name.replace(/^\//, '');
    this.containers.set(taskId, { id, name });
    const phase = phaseOf(inspection.State.Status);
    const ipAddress = addressOf(inspection);
    // Of another cluster: only an agent that has it written down goes on with it, because its cluster had another name then.
    const isOurs = labels[LABELS.cluster] === this.options.cluster;
    const agentId = isOurs ? labels[LABELS.agent] : undefined;
    const info = isOurs ? infoIn(labels[LABELS.info]) : undefined;
    return {
      taskId,
      frameworkId: labels[LABELS.framework] ?? '',
      containerId: id,
      containerName: name,
      phase,
      ...(agentId === undefined ? {} : { agentId }),
      ...(info === undefined ? {} : { info }),
      ...(ipAddress === undefined ? {} : { ipAddress }),
      ...(phase === 'exited' ? { exit: exitOf(inspection.State, this.clock.nowMs()) } : {}),
    };
  }

  /** The name is taken: by this very task (a repeat after a crash, which is success) or by something that is not ours. */
  private async adopt(taskId: string, name: string): Promise<void> {
    const { Id, Config } = await this.inspect(name);
    if (Config.Labels[LABELS.task] !== taskId || Config.Labels[LABELS.workDir] !== this.options.workDir)
      throw launchFailed('create', `a container named ${name} exists and is not of this task`);
    this.containers.set(taskId, { id: Id, name });
  }

  /** A failed start leaves a container in state Created: it goes, so that the words of the failure are all that is left. */
  private async startFailure(taskId: string, error: unknown): Promise<unknown> {
    if (!(error instanceof EngineRefusal)) return error;
    await this.remove(taskId).catch((failure: unknown) =>
      this.log.warn('the container of a failed start stays', { taskId, error: messageOf(failure) }),
    );
    return launchFailed('start', error.message, error);
  }

  private inspect(id: string): Promise<Inspection> {
    return this.engine.call('inspect', (docker, signal) => docker.getContainer(id).inspect(withSignal({}, signal)));
  }

  private async find(taskId: string): Promise<Container> {
    const container = await this.findIfAny(taskId);
    if (container === undefined) throw new NotFoundError('container of task', taskId);
    return container;
  }

  private async findIfAny(taskId: string): Promise<Container | undefined> {
    const known = this.containers.get(taskId);
    if (known !== undefined) return known;
    const label = [`${LABELS.task}=${taskId}`, `${LABELS.workDir}=${this.options.workDir}`];
    const sameTask = await this.engine.call('list', (docker, signal) =>
      docker.listContainers(withSignal({ all: true, filters: { label } }, signal)),
    );
    const found = originalOf(sameTask);
    if (found === undefined) return undefined;
    const container = { id: found.Id, name: (found.Names[0] ?? '').replace(/^\//, '') };
    this.containers.set(taskId, container);
    return container;
  }
}

/** A refusal of a stop or remove is the engine's trouble, not the task's: worth a repeat. */
function retryable(what: string, error: unknown): unknown {
  if (error instanceof TimeoutError || !(error instanceof EngineRefusal)) return error;
  return new UnavailableError(`Docker ${what}`, { cause: error, detail: error.message });
}

function launchFailed(phase: 'pull' | 'create' | 'start', message: string, cause?: unknown): TaskDriverError {
  return new TaskDriverError('REASON_CONTAINER_LAUNCH_FAILED', phase, message, { cause });
}

/** The address in the task's own network: the first one there is. */
function addressOf({ NetworkSettings }: Inspection): string | undefined {
  return Object.values(NetworkSettings.Networks)
    .map((network) => network.IPAddress)
    .find((address) => address !== '');
}

function infoIn(label: string | undefined): TaskInfo | undefined {
  if (label === undefined) return undefined;
  try {
    return taskInfoSchema.parse(JSON.parse(label));
  } catch {
    return undefined;
  }
}
