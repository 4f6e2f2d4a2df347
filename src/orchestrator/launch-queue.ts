import { currentBackoff, raiseBackoff, type Backoff } from '../core/lifecycle/backoff';
import type { InstanceView } from '../core/lifecycle/views';
import { LIMITS } from '../core/limits';
import type { OfferSlot } from '../core/placement/offer-slot';
import { funnel, reasonText, REASONS, type Reason } from '../core/placement/reasons';
import type { Clock } from '../core/ports/clock';
import { RESET_DELAY_ANNOTATION, type App, type AppSpec, type LaunchQueueItem } from '../core/records/app';
import { timestamp } from '../core/records/metadata';

/** Which instances wait for a place, since when, why, and until when back-off holds them. Memory of the leader. */
export class LaunchQueue {
  private readonly apps = new Map<string, AppQueue>();
  /** Sent to the master, not on record as a task yet: instance id -> task id. */
  private readonly launching = new Map<string, string>();

  constructor(private readonly clock: Clock) {}

  /** The instances of an app that wait now. Returns whether one waits that did not before. */
  setWaiting(app: App, views: readonly InstanceView[]): boolean {
    const queue = this.queueOf(app);
    const isNew = views.some((view) => !queue.waiting.has(keyOf(view)));
    queue.app = app;
    queue.waiting = new Map(views.map((view) => [keyOf(view), view]));
    if (views.length === 0) queue.forgetRefusals();
    else queue.sinceMs ??= this.clock.nowMs();
    return isNew;
  }

  remove(appId: string): void {
    this.apps.delete(appId);
  }

  get launchingIds(): ReadonlySet<string> {
    return new Set(this.launching.keys());
  }

  isLaunching(instanceId: string): boolean {
    return this.launching.has(instanceId);
  }

  startLaunch(instanceId: string, taskId: string): void {
    this.launching.set(instanceId, taskId);
  }

  endLaunch(instanceId: string, taskId: string): void {
    if (this.launching.get(instanceId) === taskId) this.launching.delete(instanceId);
  }

  /** Apps that have something to launch now, those that wait longest first. */
  ready(): { readonly app: App; readonly views: readonly InstanceView[] }[] {
    const nowMs = this.clock.monotonicMs();
    return [...this.apps.values()]
      .filter((queue) => queue.waiting.size > 0 && queue.delayLeftMs(nowMs) === 0)
      .map((queue) => ({ queue, app: queue.app, views: this.free(queue) }))
      .filter(({ views }) => views.length > 0)
      .sort((a, b) => (a.queue.sinceMs ?? 0) - (b.queue.sinceMs ?? 0));
  }

  private free(queue: AppQueue): InstanceView[] {
    return [...queue.waiting.values()].filter((view) => !this.launching.has(view.id));
  }

  /** Milliseconds until the next delay of an app with waiting instances runs out. */
  nextDueMs(): number | undefined {
    const nowMs = this.clock.monotonicMs();
    const delays = [...this.apps.values()]
      .filter((queue) => queue.waiting.size > 0)
      .map((queue) => queue.delayLeftMs(nowMs))
      .filter((leftMs) => leftMs > 0);
    return delays.length === 0 ? undefined : Math.min(...delays);
  }

  /** One more failure of the app: launches wait longer. */
  failed(app: App, configVersion: string): void {
    const queue = this.queueOf(app);
    queue.backoff = raiseBackoff(queue.backoff, app.spec, configVersion, this.clock.monotonicMs());
  }

  /** A delay that a former leader had decided is kept. */
  restore(app: App): void {
    const leftMs = (app.status?.launchQueue?.delayUntilMs ?? 0) - this.clock.nowMs();
    const delayMs = Math.min(leftMs, app.spec.maxLaunchDelaySeconds * 1000);
    const untilMs = this.clock.monotonicMs() + delayMs;
    if (delayMs > 0) this.queueOf(app).backoff = { configVersion: configVersionOf(app.spec), delayMs, untilMs };
  }

  /** Follows RESET_DELAY_ANNOTATION: a new value clears the delay. Returns whether it did. */
  followReset(app: App): boolean {
    const queue = this.queueOf(app);
    const token = app.metadata.annotations?.[RESET_DELAY_ANNOTATION];
    if (token === undefined || token === queue.resetToken) return false;
    const isFirstLook = queue.resetToken === undefined && Date.parse(token) < this.delayedSinceMs(queue);
    queue.resetToken = token;
    if (isFirstLook) return false;
    queue.backoff = undefined;
    return true;
  }

  /** Wall clock at which the present delay began, as far as that can be told; 0: there is none. */
  private delayedSinceMs({ backoff }: AppQueue): number {
    if (backoff === undefined) return 0;
    return this.clock.nowMs() - (this.clock.monotonicMs() - (backoff.untilMs - backoff.delayMs));
  }

  used(appId: string): void {
    const queue = this.apps.get(appId);
    if (queue === undefined) return;
    queue.lastUsedOfferAt = timestamp(this.clock.nowMs());
    queue.processed++;
  }

  refused(appId: string, refusals: readonly { readonly slot: OfferSlot; readonly why: readonly Reason[] }[]): void {
    this.apps.get(appId)?.refused(refusals, this.clock.nowMs());
  }

  /** For App.status; undefined: nothing waits. */
  item(appId: string, lastFailure: string | undefined): LaunchQueueItem | undefined {
    const queue = this.apps.get(appId);
    return queue === undefined || queue.waiting.size === 0
      ? undefined
      : queue.item(this.clock.nowMs(), this.delayLeftMs(appId), lastFailure);
  }

  waitingCount(appId: string): number {
    return this.apps.get(appId)?.waiting.size ?? 0;
  }

  /** For how many agents which reason came first, while the app waits. */
  refusalsOf(appId: string): ReadonlyMap<Reason, number> {
    const queue = this.apps.get(appId);
    return queue === undefined || queue.waiting.size === 0 ? new Map() : queue.lastCounts();
  }

  delayLeftMs(appId: string): number {
    return this.apps.get(appId)?.delayLeftMs(this.clock.monotonicMs()) ?? 0;
  }

  private queueOf(app: App): AppQueue {
    const known = this.apps.get(app.spec.id);
    if (known !== undefined) return known;
    const queue = new AppQueue(app);
    this.apps.set(app.spec.id, queue);
    return queue;
  }
}

function keyOf(view: InstanceView): string {
  return `${view.id} ${view.instance.record.spec.incarnation}`;
}

export function configVersionOf(spec: AppSpec): string {
  return spec.versionInfo?.lastConfigChangeAt ?? spec.version;
}

class AppQueue {
  waiting: ReadonlyMap<string, InstanceView> = new Map();
  sinceMs: number | undefined;
  /** In monotonic time: a wall clock that is set must not hold launches. */
  backoff: Backoff | undefined;
  resetToken: string | undefined;
  processed = 0;
  lastUsedOfferAt: string | undefined;
  private unused = 0;
  private lastUnusedOfferAt: string | undefined;
  /** First reason of the newest offer per agent. */
  private readonly lastByAgent = new Map<string, Reason>();
  private readonly attempt = new Map<Reason, number>();
  private lastUnused: LaunchQueueItem['lastUnusedOffers'] = [];

  constructor(public app: App) {}

  delayLeftMs(nowMs: number): number {
    const backoff = currentBackoff(this.backoff, this.app.spec, configVersionOf(this.app.spec), nowMs);
    return Math.max(0, (backoff?.untilMs ?? 0) - nowMs);
  }

  forgetRefusals(): void {
    this.sinceMs = undefined;
    this.processed = 0;
    this.unused = 0;
    this.lastUsedOfferAt = undefined;
    this.lastUnusedOfferAt = undefined;
    this.lastByAgent.clear();
    this.attempt.clear();
    this.lastUnused = [];
  }

  refused(refusals: readonly { readonly slot: OfferSlot; readonly why: readonly Reason[] }[], nowMs: number): void {
    for (const { slot, why } of refusals) {
      const [first] = why;
      if (first === undefined) continue;
      this.lastByAgent.delete(slot.agentId);
      this.lastByAgent.set(slot.agentId, first);
      this.attempt.set(first, (this.attempt.get(first) ?? 0) + 1);
    }
    for (const agentId of this.lastByAgent.keys()) {
      if (this.lastByAgent.size <= LIMITS.refusedAgentsPerApp) break;
      this.lastByAgent.delete(agentId);
    }
    if (refusals.length === 0) return;
    this.processed += refusals.length;
    this.unused += refusals.length;
    this.lastUnusedOfferAt = timestamp(nowMs);
    const newest = refusals.slice(-LIMITS.unusedOffersPerApp).map(({ slot, why }) => ({
      offer: shownOffer(slot),
      reason: [...why],
      timestamp: timestamp(nowMs),
    }));
    this.lastUnused = [...this.lastUnused, ...newest].slice(-LIMITS.unusedOffersPerApp);
  }

  item(nowMs: number, leftMs: number, lastFailure: string | undefined): LaunchQueueItem {
    const attempts = [...this.attempt.values()].reduce((sum, count) => sum + count, 0);
    return {
      count: this.waiting.size,
      role: this.app.spec.role,
      since: timestamp(this.sinceMs ?? nowMs),
      delayUntilMs: leftMs === 0 ? 0 : nowMs + leftMs,
      processedOffersCount: this.processed,
      unusedOffersCount: this.unused,
      ...(this.lastUnusedOfferAt === undefined ? {} : { lastUnusedOfferAt: this.lastUnusedOfferAt }),
      ...(this.lastUsedOfferAt === undefined ? {} : { lastUsedOfferAt: this.lastUsedOfferAt }),
      rejectSummaryLastOffers: funnel(this.lastByAgent.size, this.lastCounts()).map((row) => ({ ...row })),
      rejectSummaryLaunchAttempt: funnel(attempts, this.attempt).map((row) => ({ ...row })),
      lastUnusedOffers: this.lastUnused,
      message: this.message(nowMs, leftMs, lastFailure),
    };
  }

  lastCounts(): ReadonlyMap<Reason, number> {
    const counts = new Map<Reason, number>();
    for (const reason of this.lastByAgent.values()) counts.set(reason, (counts.get(reason) ?? 0) + 1);
    return counts;
  }

  private message(nowMs: number, leftMs: number, lastFailure: string | undefined): string {
    const count = this.waiting.size;
    const who = count === 1 ? '1 instance waits' : `${count} instances wait`;
    if (leftMs > 0) {
      const cause = lastFailure === undefined ? 'after failures' : `after a failure (${lastFailure})`;
      return `${who}: launches are held back until ${timestamp(nowMs + leftMs)} ${cause}`;
    }
    const counts = this.lastCounts();
    if (counts.size === 0) return `${who} for offers: no agent has offered anything of use yet`;
    const total = this.lastByAgent.size;
    const parts = REASONS.flatMap((reason) => {
      const declined = counts.get(reason);
      return declined === undefined ? [] : [`${declined} ${reasonText(reason)}`];
    });
    return `${who}: of ${total} ${total === 1 ? 'agent' : 'agents'}, ${parts.join(', ')}`;
  }
}

/** Marathon's form of an offer in `/v2/queue?embed=lastUnusedOffers`. */
function shownOffer({ offer }: OfferSlot): unknown {
  return {
    id: offer.id.value,
    hostname: offer.hostname,
    agentId: offer.agent_id.value,
    resources: offer.resources.map(({ name, role, scalar, ranges, set }) => ({
      name,
      role: role ?? '*',
      ...(scalar === undefined ? {} : { scalar: scalar.value }),
      ...(ranges === undefined ? {} : { ranges: ranges.range }),
      ...(set === undefined ? {} : { set: set.item }),
    })),
    attributes: offer.attributes.map(({ name, text, scalar, ranges, set }) => ({
      name,
      ...(text === undefined ? {} : { text: text.value }),
      ...(scalar === undefined ? {} : { scalar: scalar.value }),
      ...(ranges === undefined ? {} : { ranges: ranges.range }),
      ...(set === undefined ? {} : { set: set.item }),
    })),
  };
}
