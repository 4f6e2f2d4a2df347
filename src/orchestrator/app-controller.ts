import { assertNever } from '../core/errors';
import { LIMITS } from '../core/limits';
import { instancesOf, rolloutsOf, tasksById, type InstanceView } from '../core/lifecycle/views';
import type { RecordWrite, Stored } from '../core/ports/records';
import { APP_FINALIZER, type App, type AppSpec, type TaskFailure } from '../core/records/app';
import { isTerminal, type TaskStatus } from '../core/records/mesos';
import { appPath, appVersionPath, instancePath, KEY_ROOT, namespacedName, parseTaskId } from '../core/records/paths';
import type { Task } from '../core/records/records';
import { appStatus, sameStatus } from './app-status';
import { appIdOfTask, groupOf, type AppPlacements } from './app-placements';
import { writeFenced, type OrchestratorContext } from './context';
import { decide, decideWithoutApp, RELEASE_BRAKE_ANNOTATION, type Action } from './decide';
import { InstanceDrafts } from './instance-drafts';
import {
  adoptedInstance,
  adoptedRun,
  decommissioned,
  forgotten,
  newInstance,
  nextRun,
  replaced,
} from './instance-writes';
import type { KillBrake } from './kill-brake';
import type { Killer } from './killer';
import { configVersionOf, type LaunchQueue } from './launch-queue';
import type { OfferMatcher } from './offer-matcher';
import { passPauseMs } from './pass-pause';
import { phaseIn, type AppPhase } from './rollout-progress';
import { StateAges } from './state-ages';
import type { StatusUpdates } from './status-updates';
import { supersededRuns } from './superseded';
import { decideTerminal, killedStatus, killWords, taskFailure } from './task-failure';

/** What the controller works with besides the context of its term. */
export interface AppControllerParts {
  readonly queue: LaunchQueue;
  readonly placements: AppPlacements;
  readonly matcher: OfferMatcher;
  readonly killer: Killer;
  readonly brake: KillBrake;
  readonly updates: StatusUpdates;
  /** Looks at the app again after so many milliseconds. */
  readonly wakeAfter: (appId: string, delayMs: number) => void;
}

/** Makes the instances of one app what its record says. Only writes records and sends kills; every pass can be repeated. */
export class AppController {
  private readonly failures = new Map<string, TaskFailure>();
  private readonly statusWrittenMs = new Map<string, number>();
  private readonly toldMs = new Map<string, number>();
  private readonly ages = new StateAges();
  private readonly drafts: InstanceDrafts;

  constructor(
    private readonly context: OrchestratorContext,
    private readonly parts: AppControllerParts,
  ) {
    this.drafts = new InstanceDrafts(context.records, context.ids);
  }

  /** One level-triggered pass over one app. Resolves with the pause before the next one, in milliseconds. */
  async sync(appId: string): Promise<number> {
    const app = this.context.records.collection('App').get(appPath(appId));
    if (app === undefined) {
      await this.syncOrphans(appId);
      return 0;
    }
    if (this.parts.queue.followReset(app.record)) this.parts.matcher.wake();
    const views = await this.converge(app.record);
    if (await this.finishDeletion(appId)) return 0;
    this.offerWaiting(appId, views);
    await this.writeStatus(appId, views);
    await this.trimVersions(app.record);
    return passPauseMs(views.length);
  }

  /** Does what is to be done now; the instances as they are afterwards. */
  private async converge(app: App): Promise<readonly InstanceView[]> {
    const { id } = app.spec;
    const views = await this.adopt(app, instancesOf(this.context.records, id));
    const decision = this.decideFor(app, views);
    const actions = this.braked(app, decision.actions);
    if (decision.kept > 0) this.tellKept(app, decision.kept);
    this.drafts.begin(id);
    const writes = this.writesOf(app, actions);
    await writeFenced(this.context, writes);
    if (writes.length > 0) this.context.crashPoints.reach('orchestrator.instances-written');
    this.drafts.written(id);
    this.parts.updates.settle(id);
    for (const action of actions) if (action.kind === 'kill') this.kill(app, action);
    this.killSuperseded(id, views);
    if (decision.wakeInMs !== undefined) this.parts.wakeAfter(id, decision.wakeInMs);
    return writes.length === 0 ? views : instancesOf(this.context.records, id);
  }

  /** Nothing that runs is touched because a record is missing: it may be the store that lost it. */
  private async syncOrphans(appId: string): Promise<void> {
    const views = instancesOf(this.context.records, appId);
    const isCorrupt = this.context.records.corrupt().some(({ key }) => key === `${KEY_ROOT}apps/${appPath(appId)}`);
    const actions = decideWithoutApp(views, this.parts.queue.launchingIds);
    const leftovers = actions.flatMap((action) =>
      action.kind === 'forget' && !isCorrupt ? [forgotten(action.view)] : [],
    );
    await writeFenced(this.context, [...this.rerunWrites(undefined, actions), ...leftovers]);
    this.parts.updates.settle(appId);
    this.parts.queue.remove(appId);
    this.parts.placements.drop(appId);
    this.parts.brake.allows(appId, 0, 0, this.context.clock.monotonicMs());
    this.drafts.forget(appId);
    this.ages.forget(appId);
    this.failures.delete(appId);
    this.statusWrittenMs.delete(appId);
    const live = tasksOfApp(this.context, appId).filter(({ record }) => !isTerminal(record.status.state));
    if (live.length === 0 || !this.isDueToTell(appId)) return;
    this.context.log.warn('tasks without an app record are left alone', { appId, taskCount: live.length });
    this.context.events.record({
      involvedObject: { kind: 'App', ...namespacedName(appId) },
      type: 'Warning',
      reason: 'AppRecordMissing',
      message: `${live.length} tasks run but the record of ${appId} does not exist; they are left alone`,
    });
  }

  /** The same thing is told once per resync, not with every change. */
  private isDueToTell(appId: string): boolean {
    const nowMs = this.context.clock.monotonicMs();
    if (nowMs - (this.toldMs.get(appId) ?? Number.NEGATIVE_INFINITY) < LIMITS.resyncMs) return false;
    this.toldMs.set(appId, nowMs);
    return true;
  }

  private decideFor(app: App, views: readonly InstanceView[]): ReturnType<typeof decide> {
    const phase = this.phaseOf(app.spec.id);
    return decide({
      app,
      phase,
      former: this.formerOf(app.spec.id, phase),
      views,
      launching: this.parts.queue.launchingIds,
      refused: this.parts.updates.refusedInstances(app.spec.id),
      unreadable: this.unreadable(app.spec.id).length,
      ageMs: this.ages.observe(app.spec.id, views, this.context.clock.monotonicMs()),
      launchTimeoutMs: this.context.options.taskLaunchTimeoutMs ?? LIMITS.taskLaunchTimeoutMs,
      groupOf: groupOf(this.parts.placements, app),
    });
  }

  private phaseOf(appId: string): AppPhase {
    for (const rollout of rolloutsOf(this.context.records, appId)) {
      const phase = phaseIn(this.context.records, rollout.record, appId);
      if (phase.kind !== 'settled') return phase;
    }
    return { kind: 'settled' };
  }

  private formerOf(appId: string, phase: AppPhase): AppSpec | undefined {
    if (phase.kind !== 'before' || phase.fromVersion === undefined) return undefined;
    return this.context.records.collection('AppVersion').get(appVersionPath(appId, phase.fromVersion))?.record.spec;
  }

  /** Every task of a view is one of the app's: more of them than views have means that some have no instance. */
  private async adopt(app: App, views: readonly InstanceView[]): Promise<readonly InstanceView[]> {
    if (tasksOfApp(this.context, app.spec.id).length === tasksOf(views)) return views;
    const adoptions = this.adoptions(app);
    await writeFenced(this.context, adoptions);
    return adoptions.length === 0 ? views : instancesOf(this.context.records, app.spec.id);
  }

  private killSuperseded(appId: string, views: readonly InstanceView[]): void {
    const tasks = tasksOfApp(this.context, appId);
    if (tasks.length === tasksOf(views)) return;
    const superseded = supersededRuns(tasks, views);
    for (const task of superseded) this.parts.killer.kill(task, 'SUPERSEDED');
    if (superseded.length > 0) this.parts.wakeAfter(appId, LIMITS.killRetryMs);
  }

  /** Tasks of ours that run without an instance record: the record is made anew. */
  private adoptions(app: App): RecordWrite[] {
    const instances = this.context.records.collection('Instance');
    const unreadable = new Set(this.unreadable(app.spec.id));
    return tasksOfApp(this.context, app.spec.id).flatMap(({ record }) => {
      const parsed = parseTaskId(record.spec.taskId);
      if (parsed !== undefined && unreadable.has(instancePath(parsed.instanceId))) return [];
      const isOver = isTerminal(record.status.state) || record.status.killRequested !== undefined;
      if (parsed === undefined || isOver) return [];
      const known = instances.get(instancePath(parsed.instanceId));
      if (record.status.state === 'TASK_STAGING' && record.status.latest === undefined) {
        // No agent has told of it: a launch that was written late, for an instance that is gone on purpose. It must not begin.
        if (known === undefined) this.parts.killer.kill(record, 'DECOMMISSIONED');
        return [];
      }
      if (known !== undefined && known.record.spec.incarnation >= parsed.incarnation) return [];
      this.context.log.warn('adopting a task without an instance record', { taskId: record.spec.taskId });
      const version = environmentOf(record, 'MARATHON_APP_VERSION') ?? app.spec.version;
      if (known !== undefined) return [adoptedRun(known, version, parsed.incarnation)];
      return [adoptedInstance(parsed.instanceId, version, parsed.incarnation, this.context.clock.nowMs())];
    });
  }

  /** Paths of instance records of the app that cannot be read and that the mirror has no older form of. */
  private unreadable(appId: string): string[] {
    const prefix = `${KEY_ROOT}instances/${appPath(appId)}/`;
    const instances = this.context.records.collection('Instance');
    return this.context.records
      .corrupt()
      .filter(({ key }) => key.startsWith(prefix) && !key.slice(prefix.length).includes('/'))
      .map(({ key }) => key.slice(`${KEY_ROOT}instances/`.length))
      .filter((path) => instances.get(path) === undefined);
  }

  /**
   * Drops what must not be done: kills of an app whose record cannot be read, and kills that nobody asked for when they are many, or
   * while what looks alive may be over, so that the others are no surplus.
   */
  private braked(app: App, actions: readonly Action[]): readonly Action[] {
    const { id } = app.spec;
    const key = `${KEY_ROOT}apps/${appPath(id)}`;
    const isCorrupt = this.context.records.corrupt().some((entry) => entry.key === key);
    const unasked = actions.filter((action) => action.kind === 'decommission' && !action.asked);
    const allowed = this.mayStopUnasked(app, unasked.length);
    if (isCorrupt) return actions.filter(({ kind }) => kind !== 'decommission' && kind !== 'kill');
    return allowed ? actions : actions.filter((action) => action.kind !== 'decommission' || action.asked);
  }

  private mayStopUnasked(app: App, count: number): boolean {
    const { id } = app.spec;
    const isReleased = app.metadata.annotations?.[RELEASE_BRAKE_ANNOTATION] !== undefined;
    if (count > 0 && !isReleased && !this.context.agentsAreBack()) {
      this.parts.wakeAfter(id, LIMITS.agentsBackMs);
      return false;
    }
    const total = this.context.records.collection('Instance').size;
    const allowed = this.parts.brake.allows(id, isReleased ? 0 : count, total, this.context.clock.monotonicMs());
    this.context.metrics.brakeEngaged.set(this.parts.brake.heldBack);
    if (!allowed) this.tellBrake(app, count, total);
    return allowed;
  }

  private tellKept(app: App, count: number): void {
    const { id, version } = app.spec;
    if (!this.isDueToTell(`${id} keeps ${count}`)) return;
    this.context.log.error('running instances are newer than the record of their app', { appId: id, count, version });
    this.context.events.record({
      involvedObject: { kind: 'App', ...namespacedName(id), uid: app.metadata.uid },
      type: 'Warning',
      reason: 'AppRecordOutdated',
      message:
        `${count} instances should go, but they were started for a newer definition than the one on record ` +
        `(${version}): the store went back in time; they are kept. If they should go, change, restart or delete the app, ` +
        `or set the annotation ${RELEASE_BRAKE_ANNOTATION}`,
    });
  }

  private tellBrake(app: App, count: number, total: number): void {
    const { id } = app.spec;
    this.parts.wakeAfter(id, LIMITS.resyncMs);
    if (!this.isDueToTell(id)) return;
    this.context.log.error('kill brake engaged', { appId: id, kills: count, instances: total });
    this.context.events.record({
      involvedObject: { kind: 'App', ...namespacedName(id), uid: app.metadata.uid },
      type: 'Warning',
      reason: 'KillBrakeEngaged',
      message:
        `${count} instances are more than wanted but nobody asked to stop them; nothing is killed. ` +
        `If they should go, scale or restart the app, or set the annotation ${RELEASE_BRAKE_ANNOTATION}`,
    });
  }

  private writesOf(app: App, actions: readonly Action[]): RecordWrite[] {
    const nowMs = this.context.clock.nowMs();
    const reruns = this.rerunWrites(app, actions);
    const others = actions.flatMap((action): RecordWrite[] => {
      switch (action.kind) {
        case 'schedule':
          return Array.from({ length: action.count }, () =>
            newInstance(app.spec.id, action.version, this.drafts.next(app.spec.id), nowMs),
          );
        case 'decommission':
          return [decommissioned(action.view, action.reason)];
        case 'forget':
          this.noteEnd(app, action.view);
          return [forgotten(action.view)];
        case 'replace':
          return [replaced(action.view, nowMs)];
        case 'rerun':
        case 'kill':
          return [];
        default:
          return assertNever(action);
      }
    });
    return [...reruns, ...others];
  }

  private rerunWrites(app: App | undefined, actions: readonly Action[]): RecordWrite[] {
    return actions.flatMap((action) => {
      if (action.kind !== 'rerun') return [];
      const status = this.endOf(action.view);
      if (app !== undefined) this.noteEnd(app, action.view);
      return [nextRun(action.view, status, this.context.clock.nowMs())];
    });
  }

  private endOf({ id, instance, task }: InstanceView): TaskStatus | undefined {
    return task?.record.status.latest ?? this.parts.updates.refusalOf(id, instance.record.spec.incarnation);
  }

  /** Back-off, last failure and event of a run that has ended; once per run. */
  private noteEnd(app: App, view: InstanceView): void {
    const status = this.endOf(view);
    if (status === undefined || !isTerminal(status.state) || !this.parts.updates.noteOnce(status.task_id.value)) return;
    const task = view.task?.record;
    const verdict = decideTerminal(status, task?.status.killRequested !== undefined);
    const version = view.instance.record.spec.appVersion;
    const config = configVersionOf(app.spec);
    if (verdict.raisesBackoff && version >= config) this.parts.queue.failed(app, config);
    if (verdict.raisesBackoff) this.context.metrics.taskFailures.note(app.spec.id);
    if (!verdict.isFailure) return;
    const { host, taskId } = this.failed(app, task, status, version);
    this.context.events.record({
      involvedObject: { kind: 'App', ...namespacedName(app.spec.id), uid: app.metadata.uid },
      type: 'Warning',
      reason: 'TaskFailed',
      message: `task ${taskId}${host === '' ? '' : ` on ${host}`} ended with ${verdict.text}`,
    });
  }

  private kill(app: App, { view, reason }: Extract<Action, { kind: 'kill' }>): void {
    // The task may have ended while this pass was writing.
    const task = tasksById(this.context.records).get(view.task?.record.spec.taskId ?? '')[0]?.record;
    if (task === undefined || isTerminal(task.status.state)) return;
    const isFirst = this.parts.killer.kill(task, reason);
    if (!isFirst || (reason !== 'UNHEALTHY' && reason !== 'LAUNCH_TIMEOUT')) return;
    const message = killWords(task, reason);
    this.failed(app, task, killedStatus(task, message), view.instance.record.spec.appVersion);
    this.context.events.record({
      involvedObject: { kind: 'App', ...namespacedName(app.spec.id), uid: app.metadata.uid },
      type: 'Warning',
      reason: reason === 'UNHEALTHY' ? 'UnhealthyInstanceKilled' : 'LaunchTimeout',
      message: `task ${task.spec.taskId}: ${message}`,
    });
  }

  /** What the app shows as its last failure from now on. */
  private failed(app: App, task: Task | undefined, status: TaskStatus, version: string): TaskFailure {
    const agent = this.context.records.collection('Agent').get(task?.spec.agentId ?? '');
    const host = agent?.record.spec.hostname ?? '';
    const failure = taskFailure(app.spec.id, status, task, { host, version, nowMs: this.context.clock.nowMs() });
    this.failures.set(app.spec.id, failure);
    return failure;
  }

  /** The app is gone when no instance is left: our finalizer goes, and with the last finalizer the record and its versions. */
  private async finishDeletion(appId: string): Promise<boolean> {
    const { records } = this.context;
    const app = records.collection('App').get(appPath(appId));
    if (app?.record.metadata.deletionTimestamp === undefined) return false;
    if (records.collection('Instance').in(appPath(appId)).length > 0) return false;
    const finalizers = (app.record.metadata.finalizers ?? []).filter((name) => name !== APP_FINALIZER);
    if (finalizers.length > 0) {
      if (finalizers.length === app.record.metadata.finalizers?.length) return false;
      const record = { ...app.record, metadata: { ...app.record.metadata, finalizers } };
      await writeFenced(this.context, [{ op: 'put', kind: 'App', path: app.path, record, expect: app.revision }]);
      return true;
    }
    const versions = records.collection('AppVersion').in(appPath(appId));
    const deletes = versions.map(({ path }): RecordWrite => ({ op: 'delete', kind: 'AppVersion', path }));
    await writeFenced(this.context, deletes);
    await writeFenced(this.context, [{ op: 'delete', kind: 'App', path: app.path, expect: app.revision }]);
    this.context.log.info('app deleted', { appId });
    return true;
  }

  /** Tells the matcher which instances wait. The records show our own writes already. */
  private offerWaiting(appId: string, views: readonly InstanceView[]): void {
    const app = this.context.records.collection('App').get(appPath(appId));
    if (app === undefined) return this.parts.queue.remove(appId);
    const waiting = views.filter(
      (view) => view.condition === 'Scheduled' && view.instance.record.spec.goal === 'Running',
    );
    if (this.parts.queue.setWaiting(app.record, waiting)) this.parts.matcher.wake();
    else this.parts.matcher.kick();
  }

  /** At most one write per LIMITS.statusWriteMs and app, the first of a series at once, none when nothing is new. */
  private async writeStatus(appId: string, views: readonly InstanceView[]): Promise<void> {
    const app = this.context.records.collection('App').get(appPath(appId));
    if (app === undefined) return;
    const nowMs = this.context.clock.monotonicMs();
    const leftMs = (this.statusWrittenMs.get(appId) ?? Number.NEGATIVE_INFINITY) + LIMITS.statusWriteMs - nowMs;
    if (leftMs > 0) return this.parts.wakeAfter(appId, leftMs);
    const status = this.statusOf(app, views);
    const metadata = this.withoutRelease(app.record);
    if (metadata === app.record.metadata && sameStatus(app.record.status, status)) return;
    this.statusWrittenMs.set(appId, nowMs);
    const record: App = { ...app.record, status, metadata };
    await writeFenced(this.context, [{ op: 'put', kind: 'App', path: app.path, record, expect: app.revision }]);
  }

  private statusOf(app: Stored<App>, views: readonly InstanceView[]): ReturnType<typeof appStatus> {
    const { id } = app.record.spec;
    const lastTaskFailure = this.failures.get(id);
    return appStatus({
      app: app.record,
      views,
      launchQueue: this.parts.queue.item(id, (lastTaskFailure ?? app.record.status?.lastTaskFailure)?.message),
      lastTaskFailure,
      rollouts: rolloutsOf(this.context.records, id).map(({ path }) => path),
      nowMs: this.context.clock.nowMs(),
    });
  }

  /** The release of the brake holds for what was held back, not for ever. */
  private withoutRelease({ metadata, spec }: App): App['metadata'] {
    const { [RELEASE_BRAKE_ANNOTATION]: release, ...annotations } = metadata.annotations ?? {};
    const left = this.context.records.collection('Instance').in(appPath(spec.id)).length;
    return release === undefined || left > spec.instances ? metadata : { ...metadata, annotations };
  }

  /** Marathon: --zk_max_versions. Versions that instances or rollouts still need stay. */
  private async trimVersions(app: App): Promise<void> {
    const path = appPath(app.spec.id);
    const versions = this.context.records.collection('AppVersion').in(path);
    if (versions.length <= LIMITS.versionsPerApp) return;
    const needed = new Set([app.spec.version]);
    for (const { record } of this.context.records.collection('Instance').in(path)) needed.add(record.spec.appVersion);
    for (const { record } of rolloutsOf(this.context.records, app.spec.id)) {
      for (const { fromVersion } of record.spec.apps) if (fromVersion !== undefined) needed.add(fromVersion);
    }
    const oldestFirst = [...versions].sort((a, b) => (a.record.spec.version < b.record.spec.version ? -1 : 1));
    const surplus = oldestFirst
      .slice(0, versions.length - LIMITS.versionsPerApp)
      .filter(({ record }) => !needed.has(record.spec.version));
    await writeFenced(
      this.context,
      surplus.map((version): RecordWrite => ({ op: 'delete', kind: 'AppVersion', path: version.path })),
    );
  }
}

/** Tasks of ours by app. */
export function tasksOfApp({ records }: Pick<OrchestratorContext, 'records'>, appId: string): readonly Stored<Task>[] {
  tasksById(records);
  return records.collection('Task').index('appOfTask', appIdOfTask).get(appId);
}

function tasksOf(views: readonly InstanceView[]): number {
  return views.reduce((count, { task }) => count + (task === undefined ? 0 : 1), 0);
}

function environmentOf(task: Task, name: string): string | undefined {
  return task.spec.info.command?.environment?.variables.find((variable) => variable.name === name)?.value;
}
