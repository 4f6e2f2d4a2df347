import { planSteps, type AppTransition } from '../core/deployment/plan';
import { ConflictError, ForbiddenError, InvalidError, LockedError, NotFoundError } from '../core/errors';
import { LIMITS } from '../core/limits';
import { instancesOf, rolloutsOf, tasksById } from '../core/lifecycle/views';
import type { AppChange, AppService, ChangeOptions, KilledTask, RolloutStarted } from '../core/ports/app-service';
import type { Clock } from '../core/ports/clock';
import { NO_CRASH_POINTS, type CrashPoints } from '../core/ports/crash-points';
import type { IdSource } from '../core/ports/ids';
import type { Logger } from '../core/ports/logger';
import type { Records, RecordWrite, Stored } from '../core/ports/records';
import { notActedUpon } from '../core/records/app-support';
import { RESET_DELAY_ANNOTATION } from '../core/records/app';
import { timestamp } from '../core/records/metadata';
import { isTerminal } from '../core/records/mesos';
import { appIdOfInstance, appPath, appVersionPath, instancePath, parseTaskId } from '../core/records/paths';
import { KILL_ANNOTATION, type Instance, type Rollout } from '../core/records/records';
import { servicePortsOf, type ServicePortRange } from '../core/records/service-ports';
import { graphAfter } from './app-graph';
import { draftChange, identityViolations, type Draft } from './change-draft';
import { cancelWrite, draftWrites, nextVersion, rolloutWrite, versioned } from './change-writes';
import { RELEASE_BRAKE_ANNOTATION } from './decide';

export interface GroupManagerOptions {
  /** Marathon: --local_port_min, --local_port_max. */
  readonly servicePorts?: ServicePortRange;
  /** Marathon: --default_network_name. */
  readonly defaultNetworkName?: string;
  /** Marathon: --max_running_deployments. */
  readonly maxRunningRollouts?: number;
  /** Default: none. */
  readonly crashPoints?: CrashPoints;
}

/** A task as killTasks found it. */
interface Target extends KilledTask {
  readonly incarnation: number;
}

/**
 * Changes of what users want. Works on any replica: everything goes through compare-and-swap, so two replicas that change one
 * app at once cannot both win, and the loser looks again.
 */
export class GroupManager implements AppService {
  private readonly portsBeingWritten = new Set<number>();

  constructor(
    private readonly records: Records,
    private readonly clock: Clock,
    private readonly ids: IdSource,
    private readonly log: Logger,
    private readonly options: GroupManagerOptions = {},
  ) {}

  async apply(changes: readonly AppChange[], options: ChangeOptions = {}): Promise<RolloutStarted> {
    return this.applyWith(changes, options, []);
  }

  async cancelRollout(rolloutId: string, force: boolean): Promise<RolloutStarted | undefined> {
    if (!force) return this.apply(this.restoringChanges(this.unfinished(rolloutId).record), { force: true });
    await this.retrying(false, async () => {
      const rollout = this.unfinished(rolloutId);
      const releases = rollout.record.spec.apps.flatMap(({ id }) => this.releaseWrite(id) ?? []);
      await this.records.write([cancelWrite(rollout, 'cancelled by a user'), ...releases]);
    });
    return undefined;
  }

  private unfinished(rolloutId: string): Stored<Rollout> {
    const rollout = this.records.collection('Rollout').get(rolloutId);
    if (rollout === undefined || isOver(rollout.record)) {
      throw new NotFoundError('Rollout', rolloutId, `DeploymentPlan ${rolloutId} does not exist`);
    }
    return rollout;
  }

  /** What a replacement has started beyond the wanted number is surplus by the user's own act: the brake is not for that. */
  private releaseWrite(id: string): RecordWrite | undefined {
    const app = this.records.collection('App').get(appPath(id));
    if (app === undefined || app.record.metadata.deletionTimestamp !== undefined) return undefined;
    const { metadata } = app.record;
    const annotations = { ...metadata.annotations, [RELEASE_BRAKE_ANNOTATION]: timestamp(this.clock.nowMs()) };
    const record = { ...app.record, metadata: { ...metadata, annotations } };
    return { op: 'put', kind: 'App', path: app.path, record, expect: app.revision };
  }

  async killTasks(
    taskIds: readonly string[],
    options: { readonly scale: boolean; readonly wipe: boolean; readonly force: boolean },
  ): Promise<{ readonly killed: readonly KilledTask[]; readonly rollout?: RolloutStarted }> {
    const targets = [...new Set(taskIds)].flatMap((taskId) => this.targetOf(taskId) ?? []);
    const killed = targets.map(({ appId, instanceId, taskId }) => ({ appId, instanceId, taskId }));
    if (targets.length === 0) return { killed };
    if (options.scale) return { killed, rollout: await this.killAndScale(targets, options.force) };
    await this.inChunks(targets, (target) => killWrite(this.instanceOf(target), target, options.wipe));
    return { killed };
  }

  async resetDelay(appId: string): Promise<void> {
    await this.retrying(false, async () => {
      const app = this.records.collection('App').get(appPath(appId));
      const waits = instancesOf(this.records, appId).some(({ condition }) => condition === 'Scheduled');
      if (app === undefined || !waits) {
        throw new NotFoundError('Queue', appId, `Application ${appId} not found in tasks queue.`);
      }
      const { metadata } = app.record;
      const annotations = { ...metadata.annotations, [RESET_DELAY_ANNOTATION]: timestamp(this.clock.nowMs()) };
      const record = { ...app.record, metadata: { ...metadata, annotations } };
      await this.records.write([{ op: 'put', kind: 'App', path: app.path, record, expect: app.revision }]);
    });
  }

  private async applyWith(
    changes: readonly AppChange[],
    options: ChangeOptions,
    extra: readonly Target[],
  ): Promise<RolloutStarted> {
    refuseTooMany(changes);
    const hasExpectation = changes.some((change) => change.kind !== 'restart' && change.expect !== undefined);
    return this.retrying(hasExpectation, () => this.attempt(changes, options, extra));
  }

  /** A lost compare-and-swap means that the mirror was behind: look again, unless the caller named what it had read. */
  private async retrying<T>(hasExpectation: boolean, run: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await run();
      } catch (error) {
        if (!(error instanceof ConflictError) || hasExpectation || attempt >= LIMITS.writeAttempts) throw error;
        this.log.debug('change lost a race, trying again', { key: error.key, attempt });
        await this.records.sync();
      }
    }
  }

  private async attempt(
    changes: readonly AppChange[],
    options: ChangeOptions,
    extra: readonly Target[],
  ): Promise<RolloutStarted> {
    const ports = new Set<number>();
    try {
      const drafts = this.draftAll(changes, ports);
      const cancelled = this.unlock(drafts, options.force === true);
      const context = {
        version: nextVersion(this.records, drafts, this.clock.nowMs()),
        now: timestamp(this.clock.nowMs()),
        uuid: () => this.ids.uuid(),
      };
      const rolloutId = this.ids.uuid();
      const steps = planSteps(
        drafts.flatMap(({ transition }) => (transition === undefined ? [] : withUnfinished(transition, cancelled))),
        graphAfter(this.records, drafts),
      );
      const writes = [
        ...drafts.flatMap((draft) => draftWrites(draft, context)),
        rolloutWrite(rolloutId, drafts, steps, context),
        ...cancelled.map((rollout) => cancelWrite(rollout, `replaced by rollout ${rolloutId}`)),
      ];
      const victims = extra.slice(0, Math.max(0, LIMITS.commitWrites - writes.length));
      writes.push(...victims.map((target) => killWrite(this.instanceOf(target), target, true)));
      const revision = options.dryRun === true ? 0 : await this.records.write(writes);
      if (revision > 0) (this.options.crashPoints ?? NO_CRASH_POINTS).reach('orchestrator.change-written');
      return started(rolloutId, drafts, context.version, revision);
    } finally {
      for (const port of ports) this.portsBeingWritten.delete(port);
    }
  }

  private draftAll(changes: readonly AppChange[], ports: Set<number>): Draft[] {
    const { servicePorts = { min: 10_000, max: 20_000 }, defaultNetworkName } = this.options;
    let used: ReadonlySet<number> | undefined;
    const drafts: Draft[] = [];
    for (const change of changes) {
      const context = {
        servicePorts,
        isServicePortUsed: (port: number) => {
          used ??= this.usedServicePorts();
          return used.has(port) || ports.has(port) || this.portsBeingWritten.has(port);
        },
        ...(defaultNetworkName === undefined ? {} : { defaultNetworkName }),
      };
      const draft = draftChange(this.records, change, context);
      this.reservePorts(draft, ports);
      drafts.push(draft);
    }
    const created = drafts.filter((draft) => draft.created && draft.spec !== undefined).map(({ id }) => id);
    const violations = identityViolations(this.records, created);
    if (violations.length > 0) throw new InvalidError(violations);
    return drafts;
  }

  /** Ports chosen by a change that is not yet in the mirror must not be chosen again. */
  private reservePorts({ spec, stored }: Draft, ports: Set<number>): void {
    if (spec === undefined) return;
    const known = new Set(stored === undefined ? [] : servicePortsOf(stored.record.spec));
    for (const port of servicePortsOf(spec)) {
      if (known.has(port) || this.portsBeingWritten.has(port)) continue;
      ports.add(port);
      this.portsBeingWritten.add(port);
    }
  }

  private usedServicePorts(): ReadonlySet<number> {
    const used = new Set<number>();
    for (const { record } of this.records.collection('App').list()) {
      for (const port of servicePortsOf(record.spec)) used.add(port);
    }
    return used;
  }

  /** The rollouts to cancel. Throws LockedError without force, ForbiddenError when too many would run. */
  private unlock(drafts: readonly Draft[], force: boolean): Stored<Rollout>[] {
    const changed = drafts.filter(({ transition }) => transition !== undefined);
    if (changed.length === 0) return [];
    const blocking = new Map<string, Stored<Rollout>>();
    for (const { id } of changed)
      for (const rollout of rolloutsOf(this.records, id)) blocking.set(rollout.path, rollout);
    if (blocking.size > 0 && !force) throw new LockedError([...blocking.keys()]);
    const max = this.options.maxRunningRollouts ?? LIMITS.runningRollouts;
    const running = [...this.records.collection('Rollout').list()].filter(({ record }) => !isOver(record)).length;
    if (running - blocking.size >= max) {
      throw new ForbiddenError(
        `Max number (${max}) of running deployments is achieved. Wait for existing deployments to complete or cancel one using force=true parameter.`,
      );
    }
    return [...blocking.values()];
  }

  private restoringChanges(rollout: Rollout): AppChange[] {
    return rollout.spec.apps.flatMap(({ id, fromVersion }): AppChange[] => {
      if (fromVersion === undefined) {
        return this.records.collection('App').get(appPath(id)) === undefined ? [] : [{ kind: 'delete', id }];
      }
      const version = this.records.collection('AppVersion').get(appVersionPath(id, fromVersion));
      if (version === undefined) {
        throw new NotFoundError('AppVersion', id, `App '${id}' does not exist in version ${fromVersion}`);
      }
      return [{ kind: 'put', spec: version.record.spec, mode: 'any' }];
    });
  }

  private targetOf(taskId: string): Target | undefined {
    const parsed = parseTaskId(taskId);
    if (parsed === undefined) return undefined;
    const task = tasksById(this.records).get(taskId)[0];
    const instance = this.records.collection('Instance').get(instancePath(parsed.instanceId));
    if (task === undefined || instance === undefined || isTerminal(task.record.status.state)) return undefined;
    if (instance.record.spec.incarnation !== parsed.incarnation) return undefined;
    return { appId: appIdOfInstance(parsed.instanceId), taskId, ...parsed };
  }

  private instanceOf(target: Target): Stored<Instance> | undefined {
    return this.records.collection('Instance').get(instancePath(target.instanceId));
  }

  /** The named instances are the ones that go, so they are marked in the commit that lowers the count. */
  private async killAndScale(targets: readonly Target[], force: boolean): Promise<RolloutStarted> {
    const countByApp = new Map<string, number>();
    for (const { appId } of targets) countByApp.set(appId, (countByApp.get(appId) ?? 0) + 1);
    return this.retrying(false, () => {
      const changes = [...countByApp].map(([id, count]) => this.scaleDown(id, count));
      return this.applyWith(changes, { force }, targets);
    });
  }

  /** Holds for the definition it was made from only, so that nobody else's change is undone. */
  private scaleDown(id: string, count: number): AppChange {
    const app = this.records.collection('App').get(appPath(id));
    if (app === undefined) throw new NotFoundError('App', id);
    const spec = { ...app.record.spec, instances: Math.max(0, app.record.spec.instances - count) };
    return { kind: 'put', spec, mode: 'update', expect: app.revision };
  }

  private async inChunks(targets: readonly Target[], writeOf: (target: Target) => RecordWrite): Promise<void> {
    for (let at = 0; at < targets.length; at += LIMITS.commitWrites) {
      const chunk = targets.slice(at, at + LIMITS.commitWrites);
      await this.retrying(false, async () => {
        const writes = chunk.filter((target) => this.instanceOf(target) !== undefined).map(writeOf);
        if (writes.length > 0) await this.records.write(writes);
      });
    }
  }
}

function refuseTooMany(changes: readonly AppChange[]): void {
  if (changes.length > LIMITS.appsPerChange) {
    const message = `at most ${LIMITS.appsPerChange} apps can be changed at once, this changes ${changes.length}`;
    throw new InvalidError([{ path: '/', message }]);
  }
  const ids = changes.map((change) => (change.kind === 'put' ? String(change.spec.id) : change.id));
  const twice = ids.find((id, at) => ids.indexOf(id) !== at);
  if (twice !== undefined) throw new InvalidError([{ path: '/id', message: `'${twice}' is changed twice` }]);
}

function isOver({ status }: Rollout): boolean {
  return status.state === 'Succeeded' || status.state === 'Failed';
}

/**
 * A change that takes the place of an unfinished replacement must finish it, or instances of former versions stay for ever. A scaling
 * to nothing is one too: it had no need to replace what it would stop.
 */
function withUnfinished(transition: AppTransition, cancelled: readonly Stored<Rollout>[]): AppTransition {
  const actions = cancelled
    .flatMap(({ record }) => record.spec.steps.flatMap((step) => step.actions))
    .filter(({ app }) => app === transition.id);
  const isUnfinished = actions.some(
    ({ action }) =>
      action === 'RestartApplication' || (action === 'ScaleApplication' && transition.from?.instances === 0),
  );
  return isUnfinished && transition.to !== undefined ? { ...transition, restart: true } : transition;
}

/** Without `wipe` the run named in the annotation is killed and the instance goes on; with it the instance goes. */
function killWrite(stored: Stored<Instance> | undefined, target: Target, wipe: boolean): RecordWrite {
  if (stored === undefined) throw new NotFoundError('Task', target.taskId);
  const { record, path, revision } = stored;
  const annotations = { ...record.metadata.annotations, [KILL_ANNOTATION]: String(target.incarnation) };
  const killed: Instance = wipe
    ? { ...record, spec: { ...record.spec, goal: 'Decommissioned', reason: 'killed by a user' } }
    : { ...record, metadata: { ...record.metadata, annotations } };
  return { op: 'put', kind: 'Instance', path, record: killed, expect: revision };
}

function started(rolloutId: string, drafts: readonly Draft[], version: string, revision: number): RolloutStarted {
  const specs = drafts.flatMap((draft) => {
    const spec = versioned(draft, version);
    if (spec === undefined) return [];
    const isWritten = revision !== 0 && (draft.kind !== 'none' || draft.metadata !== undefined);
    return [{ spec, created: draft.created, revision: isWritten ? revision : (draft.stored?.revision ?? 0) }];
  });
  const unchanged = drafts.every(({ kind }) => kind === 'none');
  return {
    rolloutId,
    version: unchanged ? (specs[0]?.spec.version ?? version) : version,
    apps: specs,
    warnings: [...new Set(specs.flatMap(({ spec }) => notActedUpon(spec)))],
  };
}
