import { LIMITS } from '../core/limits';
import { rolloutsOf, tasksById } from '../core/lifecycle/views';
import type { Clock, Timer } from '../core/ports/clock';
import { NO_CRASH_POINTS, type CrashPoints } from '../core/ports/crash-points';
import type { IdSource } from '../core/ports/ids';
import type { Logger } from '../core/ports/logger';
import type { Metrics } from '../core/ports/metrics';
import type { Random } from '../core/ports/random';
import type { RecordChange, Records } from '../core/ports/records';
import type { SchedulerDriver, SchedulerEvent } from '../core/ports/scheduler-driver';
import type { Fence } from '../core/ports/store';
import { StoredEventRecorder } from '../core/records/event-recorder';
import { isTerminal } from '../core/records/mesos';
import type { App } from '../core/records/app';
import { AppController } from './app-controller';
import { AppGauges } from './app-gauges';
import { AppPlacements, appIdOfTask } from './app-placements';
import { FRAMEWORK_ID, type OrchestratorContext, type OrchestratorOptions } from './context';
import { KeyQueue } from './key-queue';
import { KillBrake } from './kill-brake';
import { Killer } from './killer';
import { LaunchQueue } from './launch-queue';
import { MasterLink } from './master-link';
import { OfferMatcher } from './offer-matcher';
import { orchestratorMetrics } from './orchestrator-metrics';
import { RolloutController } from './rollout-controller';
import { StatusUpdates } from './status-updates';

export interface OrchestratorDeps {
  readonly records: Records;
  /** Of the term: goes into every write. */
  readonly fence: Fence;
  /** Aborts when the term ends; everything stops then. */
  readonly signal: AbortSignal;
  readonly driver: SchedulerDriver;
  readonly clock: Clock;
  readonly random: Random;
  readonly ids: IdSource;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Default: none. */
  readonly crashPoints?: CrashPoints;
  /** Whether the master knows from every agent what it runs; see OrchestratorContext. Default: it does. */
  readonly agentsAreBack?: () => boolean;
}

/**
 * The built-in framework `marathon`: makes instances of apps what their records say. One per term of leadership; its whole
 * state is made from the records at the start.
 */
export class Orchestrator {
  /** The same in every term. */
  static readonly frameworkId = FRAMEWORK_ID;

  private readonly context: OrchestratorContext;
  private readonly events: StoredEventRecorder;
  private readonly queue: LaunchQueue;
  private readonly placements: AppPlacements;
  private readonly link: MasterLink;
  private readonly killer: Killer;
  private readonly updates: StatusUpdates;
  private readonly matcher: OfferMatcher;
  private readonly gauges: AppGauges;
  private readonly apps: KeyQueue;
  private readonly rollouts: KeyQueue;
  private unsubscribe: () => void = () => undefined;
  private timer: Timer | undefined;
  private stopped = false;

  constructor(
    private readonly deps: OrchestratorDeps,
    private readonly options: OrchestratorOptions = {},
  ) {
    const { records, clock, ids, log, signal } = deps;
    this.events = new StoredEventRecorder(records, clock, ids, log, 'orchestrator');
    this.context = {
      ...deps,
      metrics: orchestratorMetrics(deps.metrics),
      events: this.events,
      crashPoints: deps.crashPoints ?? NO_CRASH_POINTS,
      agentsAreBack: deps.agentsAreBack ?? (() => true),
      options,
    };
    this.queue = new LaunchQueue(clock);
    this.gauges = new AppGauges(records, this.queue, clock, this.context.metrics);
    this.placements = new AppPlacements(records);
    this.link = new MasterLink(this.context, deps.driver, (event) => this.onEvent(event));
    this.killer = new Killer(this.context, this.link);
    this.updates = new StatusUpdates(this.context, this.link, (appId) => this.apps.add(appId));
    this.matcher = new OfferMatcher(this.context, this.queue, this.placements, this.link, (appId) =>
      this.apps.add(appId),
    );
    const controller = this.appController();
    this.apps = new KeyQueue('apps', (appId) => controller.sync(appId), clock, log, signal);
    const rollouts = new RolloutController(this.context, {
      wakeAfter: (id, delayMs) => this.rollouts.addAfter(id, delayMs),
      wakeApps: (ids) => ids.forEach((id) => this.apps.add(id)),
    });
    this.rollouts = new KeyQueue('rollouts', (id) => rollouts.sync(id), clock, log, signal);
  }

  private appController(): AppController {
    return new AppController(this.context, {
      queue: this.queue,
      placements: this.placements,
      matcher: this.matcher,
      killer: this.killer,
      brake: new KillBrake(),
      updates: this.updates,
      wakeAfter: (appId, delayMs) => this.apps.addAfter(appId, delayMs),
    });
  }

  /** Resolves when the orchestrator is subscribed at the master. Throws UnavailableError when the store does not answer. */
  async start(): Promise<void> {
    const { records, signal } = this.deps;
    await records.sync();
    if (signal.aborted) return;
    signal.addEventListener('abort', () => void this.stop(), { once: true });
    this.unsubscribe = records.onChange((changes) => this.onChanges(changes));
    for (const { record } of records.collection('App').list()) this.queue.restore(record);
    const roles = [...new Set([...records.collection('App').list()].map(({ record }) => record.spec.role))];
    this.gauges.start(this.deps.metrics);
    await this.link.open(roles);
    this.context.crashPoints.reach('orchestrator.subscribed');
    this.catchUp();
    this.resync();
  }

  /** Starts nothing new from now on; resolves when the passes under way have ended, each of them bounded by the store's limit. */
  async stop(): Promise<void> {
    if (!this.stopped) this.context.crashPoints.reach('orchestrator.hand-over');
    this.stopped = true;
    this.unsubscribe();
    this.apps.close();
    this.rollouts.close();
    this.matcher.stop();
    this.events.close();
    this.link.close();
    this.timer?.cancel();
    this.gauges.stop();
    await Promise.all([this.apps.idle(), this.rollouts.idle()]);
    this.gauges.stop(); // a pass under way may have told of the brake
  }

  /** Status updates that came while nobody led are on record: they are taken as if they came now. */
  private catchUp(): void {
    tasksById(this.deps.records);
    for (const { record } of this.deps.records.collection('Task').list()) {
      if (record.spec.frameworkId !== FRAMEWORK_ID || record.status.latest === undefined) continue;
      if (isTerminal(record.status.state) || record.status.latest.uuid !== undefined) {
        this.updates.receive(record.status.latest);
      }
    }
  }

  /** Every key, now and then: a safety net only. */
  private resync(): void {
    const { records, signal, clock } = this.deps;
    if (signal.aborted || this.stopped) return;
    for (const { record } of records.collection('App').list()) this.apps.add(record.spec.id);
    for (const { record } of records.collection('Instance').list()) this.apps.add(record.spec.appId);
    for (const { record } of records.collection('Task').list()) this.addAppOf(appIdOfTask(record));
    for (const { path } of records.collection('Rollout').list()) this.rollouts.add(path);
    this.timer = clock.after(this.options.resyncMs ?? LIMITS.resyncMs, () => this.resync());
  }

  private addAppOf(appId: string | undefined): void {
    if (appId !== undefined) this.apps.add(appId);
  }

  private onEvent(event: SchedulerEvent): void {
    switch (event.type) {
      case 'SUBSCRIBED':
        return this.matcher.reset();
      case 'OFFERS':
        return this.matcher.addOffers(event.offers.offers);
      case 'RESCIND':
        return this.matcher.rescind(event.rescind.offer_id.value);
      case 'UPDATE':
        return this.updates.receive(event.update.status);
      case 'ERROR':
        return this.deps.log.error('the master refuses us', { error: event.error.message });
      case 'FAILURE':
      case 'HEARTBEAT':
        return;
    }
  }

  private onChanges(changes: readonly RecordChange[]): void {
    if (this.deps.signal.aborted || this.stopped) return;
    for (const change of changes) this.onChange(change);
  }

  private onChange(change: RecordChange): void {
    if (isKind(change, 'App')) this.onApp(change);
    else if (isKind(change, 'Rollout')) this.onRollout(change);
    else if (isKind(change, 'Task')) this.onTask(change);
    else if (isKind(change, 'Instance')) {
      const record = (change.current ?? change.previous)?.record;
      if (record !== undefined) this.wakeApp(record.spec.appId);
    }
  }

  private onApp({ previous, current, path }: RecordChange<'App'>): void {
    if (previous !== undefined && current !== undefined && sameWish(previous.record, current.record)) return;
    this.wakeApp(`/${path}`);
  }

  private onRollout({ previous, current, path }: RecordChange<'Rollout'>): void {
    this.rollouts.add(path);
    for (const { id } of (current ?? previous)?.record.spec.apps ?? []) this.apps.add(id);
  }

  private onTask(change: RecordChange<'Task'>): void {
    const record = (change.current ?? change.previous)?.record;
    const appId = record === undefined ? undefined : appIdOfTask(record);
    if (record === undefined || appId === undefined) return;
    if (change.current === undefined || isTerminal(change.current.record.status.state)) {
      this.killer.forget(record.spec.taskId);
    }
    // Offers of that place may have been declined for a long time.
    if (this.placements.onTaskChange(change) && this.queue.waitingCount(appId) > 0) this.matcher.wake();
    this.wakeApp(appId);
  }

  private wakeApp(appId: string): void {
    this.apps.add(appId);
    for (const { path } of rolloutsOf(this.deps.records, appId)) this.rollouts.add(path);
  }
}

function isKind<K extends 'App' | 'Rollout' | 'Task' | 'Instance'>(
  change: RecordChange,
  kind: K,
): change is RecordChange & RecordChange<K> {
  return change.kind === kind;
}

/** Only the status differs, which is our own writing. */
function sameWish(a: App, b: App): boolean {
  return (
    a.metadata.generation === b.metadata.generation &&
    a.metadata.uid === b.metadata.uid &&
    a.spec.version === b.spec.version &&
    JSON.stringify(a.metadata.annotations) === JSON.stringify(b.metadata.annotations) &&
    JSON.stringify(a.metadata.finalizers) === JSON.stringify(b.metadata.finalizers)
  );
}
