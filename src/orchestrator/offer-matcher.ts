import { tasksById, type InstanceView } from '../core/lifecycle/views';
import { LIMITS } from '../core/limits';
import { OfferPool } from '../core/placement/offer-pool';
import { slotOf, type OfferSlot } from '../core/placement/offer-slot';
import { explain, placeBatch, type BatchRequest, type Placement } from '../core/placement/place-batch';
import type { Timer } from '../core/ports/clock';
import type { App, AppSpec } from '../core/records/app';
import type { Offer, TaskInfo } from '../core/records/mesos';
import { appVersionPath, taskIdOf } from '../core/records/paths';
import type { AppPlacements } from './app-placements';
import type { OrchestratorContext } from './context';
import type { LaunchQueue } from './launch-queue';
import type { MasterLink } from './master-link';
import { taskInfo } from './task-info';

interface ReadyApp {
  readonly app: App;
  readonly views: readonly InstanceView[];
}

/** Waiting instances of one definition of an app. */
interface Job extends BatchRequest {
  readonly spec: AppSpec;
  readonly views: readonly InstanceView[];
}

interface Launch {
  readonly job: Job;
  readonly view: InstanceView;
  readonly placement: Placement;
}

/**
 * Brings offers and waiting instances together. Asks for offers at once when something new waits, gives back what is of no use,
 * and is silent when nothing waits.
 */
export class OfferMatcher {
  private readonly offers = new Map<string, Offer>();
  private isScheduled = false;
  private needsRevive = false;
  private isSuppressed = true;
  private lastReviveMs = Number.NEGATIVE_INFINITY;
  private timer: { readonly atMs: number; readonly handle: Timer } | undefined;

  constructor(
    private readonly context: OrchestratorContext,
    private readonly queue: LaunchQueue,
    private readonly placements: AppPlacements,
    private readonly link: MasterLink,
    /** Told when what is known about the waiting instances of an app has changed. */
    private readonly onLearned: (appId: string) => void,
  ) {}

  /** A new subscription: offers of the old one are void, nothing is asked for yet. */
  reset(): void {
    this.offers.clear();
    this.isSuppressed = true;
    this.needsRevive = true;
    this.kick();
  }

  addOffers(offers: readonly Offer[]): void {
    for (const offer of offers) {
      if (this.offers.size < LIMITS.pendingOffers) this.offers.set(offer.id.value, offer);
      else void this.link.call({ type: 'DECLINE', decline: { offer_ids: [offer.id] } });
    }
    this.kick();
  }

  rescind(offerId: string): void {
    this.offers.delete(offerId);
  }

  /** Something new waits, or what was refused may fit now: ask for offers. */
  wake(): void {
    this.needsRevive = true;
    this.kick();
  }

  /** Looks again soon; many calls make one pass. */
  kick(): void {
    if (this.isScheduled || this.context.signal.aborted) return;
    this.isScheduled = true;
    void Promise.resolve().then(() => {
      this.isScheduled = false;
      this.pass();
    });
  }

  stop(): void {
    this.timer?.handle.cancel();
    this.offers.clear();
  }

  private pass(): void {
    if (this.context.signal.aborted || !this.link.isOpen()) return;
    const startedMs = this.context.clock.monotonicMs();
    const ready = this.queue.ready();
    if (this.offers.size > 0) {
      this.match(ready);
      this.context.metrics.matchingSeconds.observe((this.context.clock.monotonicMs() - startedMs) / 1000);
    }
    this.askForOffers();
    if (this.offers.size > 0) this.kickLater(0);
    const dueMs = this.queue.nextDueMs();
    if (dueMs !== undefined) this.kickLater(dueMs, true);
  }

  private askForOffers(): void {
    const waiting = this.queue.ready();
    if (waiting.length === 0) {
      if (this.isSuppressed || this.offers.size > 0) return;
      this.isSuppressed = true;
      void this.link.call({ type: 'SUPPRESS' });
      return;
    }
    if (!this.needsRevive || this.offers.size > 0) return;
    const nowMs = this.context.clock.monotonicMs();
    const waitMs = this.lastReviveMs + LIMITS.reviveMs - nowMs;
    if (waitMs > 0) return this.kickLater(waitMs);
    this.needsRevive = false;
    this.isSuppressed = false;
    this.lastReviveMs = nowMs;
    const roles = [...new Set(waiting.map(({ app }) => app.spec.role))];
    void this.link.revive(roles);
  }

  /** One timer, for the earliest of what is due. */
  private kickLater(delayMs: number, revive = false): void {
    const atMs = this.context.clock.monotonicMs() + delayMs;
    if (this.timer !== undefined && this.timer.atMs <= atMs) return;
    this.timer?.handle.cancel();
    const handle = this.context.clock.after(delayMs, () => {
      this.timer = undefined;
      if (revive) this.needsRevive = true;
      this.kick();
    });
    this.timer = { atMs, handle };
  }

  private match(ready: readonly ReadyApp[]): void {
    const offers = this.takeOffers();
    const jobs = ready.flatMap(({ app, views }) => this.jobsOf(app, views));
    const slots = offers.map((offer) => this.slotOf(offer));
    const pool = new OfferPool(slots, floorOf(jobs));
    const placed = placeBatch(jobs, pool, this.context.random);
    const launches = new Map<OfferSlot, Launch[]>();
    jobs.forEach((job, at) => {
      (placed[at] ?? []).forEach((placement, index) => {
        const view = job.views[index];
        if (view === undefined) return;
        const list = launches.get(placement.slot) ?? [];
        list.push({ job, view, placement });
        launches.set(placement.slot, list);
      });
    });
    this.learn(jobs, placed, pool);
    this.accept(launches);
    this.decline(slots.filter((slot) => !launches.has(slot)));
  }

  /** One per definition that instances of the app wait for. */
  private jobsOf(app: App, views: readonly InstanceView[]): Job[] {
    const bySpec = new Map<AppSpec, InstanceView[]>();
    for (const view of views) {
      const spec = this.specOf(app, view.instance.record.spec.appVersion);
      const list = bySpec.get(spec);
      if (list === undefined) bySpec.set(spec, [view]);
      else list.push(view);
    }
    return [...bySpec].map(([spec, waiting]) => {
      const { request, index } = this.placements.get(spec);
      return { spec, views: waiting, request, index, instanceIds: waiting.map(({ id }) => id) };
    });
  }

  private takeOffers(): Offer[] {
    const taken: Offer[] = [];
    for (const [id, offer] of this.offers) {
      if (taken.length >= LIMITS.offersPerPass) break;
      this.offers.delete(id);
      taken.push(offer);
    }
    return taken;
  }

  private slotOf(offer: Offer): OfferSlot {
    const agent = this.context.records.collection('Agent').get(offer.agent_id.value)?.record.spec;
    return slotOf(offer, {
      ...(agent?.region === undefined ? {} : { region: agent.region }),
      ...(agent?.zone === undefined ? {} : { zone: agent.zone }),
      ...(agent === undefined ? {} : { containerizers: agent.containerizers }),
    });
  }

  /** Notes what was used and why the rest was not; constraints that moved may let refused offers fit now. */
  private learn(jobs: readonly Job[], placed: readonly (readonly Placement[])[], pool: OfferPool): void {
    const unplaced = jobs.filter(({ views }, at) => (placed[at]?.length ?? 0) < views.length).length;
    const share = Math.max(1, Math.floor(LIMITS.explanationsPerPass / Math.max(1, unplaced)));
    const sample = new OfferPool(pool.slots.slice(0, share));
    jobs.forEach((job, at) => {
      const count = placed[at]?.length ?? 0;
      if (count > 0) this.queue.used(job.spec.id);
      if (count === job.views.length) return;
      this.queue.refused(job.spec.id, explain(job, sample));
      if (count > 0 && job.spec.constraints.length > 0) this.needsRevive = true;
      this.onLearned(job.spec.id);
    });
  }

  private accept(launches: ReadonlyMap<OfferSlot, readonly Launch[]>): void {
    for (const [slot, list] of launches) {
      // What is beyond one commit is offered again at once.
      const now = list.slice(0, LIMITS.launchesPerAccept);
      for (const { job, view } of list.slice(now.length)) job.index.remove(view.id);
      if (now.length < list.length) this.needsRevive = true;
      void this.launch(slot, now, now.length < list.length ? 0 : this.declineSeconds());
    }
  }

  private async launch(slot: OfferSlot, launches: readonly Launch[], refuseSeconds: number): Promise<void> {
    const tasks = launches.map((launch) => ({ launch, info: this.taskInfoOf(launch) }));
    for (const { launch, info } of tasks) this.queue.startLaunch(launch.view.id, info.task_id.value);
    this.context.metrics.launches.inc({}, tasks.length);
    this.context.metrics.offers.inc({ result: 'used' });
    this.context.crashPoints.reach('orchestrator.offer-matched');
    const taken = await this.link.call({
      type: 'ACCEPT',
      accept: {
        offer_ids: [slot.offer.id],
        operations: [{ type: 'LAUNCH', launch: { task_infos: tasks.map(({ info }) => info) } }],
        filters: { refuse_seconds: refuseSeconds },
      },
    });
    for (const { launch, info } of tasks) this.launched(launch, info.task_id.value, taken);
    if (!taken) this.wake();
  }

  /** The master has the tasks on record now, or has refused them; either way the records tell from here on. */
  private launched({ job, view }: Launch, taskId: string, taken: boolean): void {
    this.queue.endLaunch(view.id, taskId);
    const hasTask = tasksById(this.context.records).get(taskId).length > 0;
    if (hasTask) return;
    job.index.remove(view.id);
    this.context.log.debug('launch was not taken', { taskId, appId: job.spec.id, taken });
    this.onLearned(job.spec.id);
  }

  private taskInfoOf({ job, view, placement }: Launch): TaskInfo {
    const { incarnation, appVersion } = view.instance.record.spec;
    return taskInfo({
      spec: job.spec,
      version: appVersion,
      taskId: taskIdOf(view.id, incarnation),
      agentId: placement.slot.agentId,
      hostname: placement.slot.offer.hostname,
      match: placement.match,
      envVarsPrefix: this.context.options.envVarsPrefix ?? '',
    });
  }

  /** An instance of a former version that must run again before its turn in the rollout runs that version. */
  private specOf(app: App, version: string): AppSpec {
    const { spec } = app;
    if (version >= (spec.versionInfo?.lastConfigChangeAt ?? spec.version)) return spec;
    return this.context.records.collection('AppVersion').get(appVersionPath(spec.id, version))?.record.spec ?? spec;
  }

  private decline(slots: readonly OfferSlot[]): void {
    if (slots.length === 0) return;
    this.context.metrics.offers.inc({ result: 'declined' }, slots.length);
    const offer_ids = slots.map(({ offer }) => offer.id);
    const filters = { refuse_seconds: this.declineSeconds() };
    void this.link.call({ type: 'DECLINE', decline: { offer_ids, filters } });
  }

  private declineSeconds(): number {
    return this.context.options.declineSeconds ?? LIMITS.declineSeconds;
  }
}

/** Slots below the smallest need of all are of no use to anyone. */
function floorOf(batches: readonly BatchRequest[]): { cpus: number; mem: number } {
  let cpus = Number.POSITIVE_INFINITY;
  let mem = Number.POSITIVE_INFINITY;
  for (const { request } of batches) {
    cpus = Math.min(cpus, request.need[0]);
    mem = Math.min(mem, request.need[1]);
  }
  return { cpus, mem };
}
