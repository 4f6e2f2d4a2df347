import { planRestart, type Member } from '../core/deployment/restart';
import { LIMITS } from '../core/limits';
import { killOrder, selectVictims } from '../core/lifecycle/kill-selection';
import { unreachablePhase, type UnreachableVerdict } from '../core/lifecycle/unreachable';
import { healthOf, isServing, type InstanceView } from '../core/lifecycle/views';
import type { App, AppSpec } from '../core/records/app';
import { hasPersistentVolume } from '../core/records/app-defaults';
import { isTerminal } from '../core/records/mesos';
import { KILL_ANNOTATION } from '../core/records/records';
import { isCurrent, type AppPhase } from './rollout-progress';

/** Why a task is killed or an instance goes. Reaches the log, the metric and the instance's record. */
export type KillReason =
  | 'APP_DELETED'
  | 'SURPLUS'
  | 'OUTDATED'
  | 'UNREACHABLE'
  | 'UNHEALTHY'
  | 'SUPERSEDED'
  | 'LAUNCH_TIMEOUT'
  | 'USER_REQUEST'
  | 'DECOMMISSIONED';

export type Action =
  | { readonly kind: 'schedule'; readonly count: number; readonly version: string }
  /** `asked`: a user's write (or the strategy the user has set) wants it; otherwise the brake has a say. */
  | {
      readonly kind: 'decommission';
      readonly view: InstanceView;
      readonly reason: KillReason;
      readonly asked: boolean;
    }
  /** The instance is over: its record goes. */
  | { readonly kind: 'forget'; readonly view: InstanceView }
  /** The run has ended and the instance is still wanted: next incarnation. */
  | { readonly kind: 'rerun'; readonly view: InstanceView }
  /** Its agent is silent and a replacement is on its way; what comes back later may be surplus. */
  | { readonly kind: 'replace'; readonly view: InstanceView }
  | { readonly kind: 'kill'; readonly view: InstanceView; readonly reason: KillReason };

export interface DecideInput {
  readonly app: App;
  readonly phase: AppPhase;
  /** The definition before, while the app's step of its rollout has not come. */
  readonly former: AppSpec | undefined;
  readonly views: readonly InstanceView[];
  /** Instances that were sent to the master for launch and are not on record as tasks yet. */
  readonly launching: ReadonlySet<string>;
  /** Instances whose launch the master refused: this run never was. */
  readonly refused: ReadonlySet<string>;
  /** Instances whose records cannot be read although their tasks run: they count, and are left alone. */
  readonly unreadable: number;
  /** Milliseconds for which a task has been starting, or silent; see StateAges. */
  readonly ageMs: (view: InstanceView) => number;
  readonly launchTimeoutMs: number;
  /** Value of the first GROUP_BY field where the instance runs. */
  readonly groupOf: (view: InstanceView) => string | undefined;
}

/** Lets kills that are held back go ahead for one app; the orchestrator takes it away when nothing is held back. */
export const RELEASE_BRAKE_ANNOTATION = 'berth.dev/release-kill-brake';

export interface Decision {
  readonly actions: readonly Action[];
  /** Instances that would have to go by an app record that is older than they are: they stay until the user has a say. */
  readonly kept: number;
  /** Milliseconds until time alone changes the decision; absent: never. */
  readonly wakeInMs: number | undefined;
}

/** What to change so that the instances of one app become what is wanted. Level-triggered, pure. */
export function decide(input: DecideInput): Decision {
  const pass = new Pass(input);
  const counted = input.views.flatMap((view) => pass.lookAt(view));
  pass.fill(counted);
  return { actions: withoutDetours(pass.actions), kept: pass.kept, wakeInMs: pass.wakeInMs };
}

/** A run that has ended and whose instance must go as well is not scheduled first. */
function withoutDetours(actions: readonly Action[]): Action[] {
  const ended = new Set(actions.flatMap((action) => (action.kind === 'rerun' ? [action.view.id] : [])));
  const gone = new Set(
    actions.flatMap((action) => (action.kind === 'decommission' && ended.has(action.view.id) ? [action.view.id] : [])),
  );
  return actions.flatMap((action): Action[] => {
    if (action.kind === 'rerun' && gone.has(action.view.id)) return [{ kind: 'forget', view: action.view }];
    return action.kind === 'decommission' && gone.has(action.view.id) ? [] : [action];
  });
}

/**
 * What is due for instances whose app has no record: their ended runs are noted, nothing is started, nothing killed. What does not
 * run and is not on its way to run is a leftover of the app's last moments, and goes.
 */
export function decideWithoutApp(views: readonly InstanceView[], launching: ReadonlySet<string>): Action[] {
  return views.flatMap((view): Action[] => {
    if (hasEnded(view)) return [{ kind: 'rerun', view }];
    return view.task === undefined && !launching.has(view.id) ? [{ kind: 'forget', view }] : [];
  });
}

function hasEnded(view: InstanceView): boolean {
  return view.task !== undefined && isTerminal(view.task.record.status.state);
}

class Pass {
  readonly actions: Action[] = [];
  kept = 0;
  wakeInMs: number | undefined;
  private readonly deleted: boolean;

  constructor(private readonly input: DecideInput) {
    this.deleted = input.app.metadata.deletionTimestamp !== undefined;
  }

  private wake(inMs: number | undefined): void {
    if (inMs !== undefined) this.wakeInMs = Math.min(this.wakeInMs ?? Number.POSITIVE_INFINITY, Math.max(1, inMs));
  }

  /** Deals with one instance by itself; returns it if it counts as one of those the app has. */
  lookAt(view: InstanceView): InstanceView[] {
    const { goal } = view.instance.record.spec;
    if (goal !== 'Running') {
      this.retire(view);
      return [];
    }
    const isRefused = view.task === undefined && this.input.refused.has(view.id);
    if (hasEnded(view) || isRefused) return this.ended(view);
    if (view.condition === 'Unreachable') return this.unreachable(view);
    this.killIfDue(view);
    return [view];
  }

  private ended(view: InstanceView): InstanceView[] {
    const { app, phase } = this.input;
    const isReplaced = phase.kind === 'now' && phase.action === 'RestartApplication' && !isCurrent(app, view);
    if (this.deleted || isReplaced) {
      this.actions.push({ kind: 'forget', view });
      return [];
    }
    this.actions.push({ kind: 'rerun', view });
    return [{ ...view, condition: 'Scheduled' }];
  }

  private unreachable(view: InstanceView): InstanceView[] {
    const { phase, changesInMs } = this.silence(view);
    this.wake(changesInMs);
    if (phase === 'wait') return [view];
    if (phase === 'expunge') this.actions.push({ kind: 'decommission', view, reason: 'UNREACHABLE', asked: true });
    else if (!isReplaced(view)) this.actions.push({ kind: 'replace', view });
    return [];
  }

  /** A new leader counts the silence anew, but what was replaced before stays replaced: nothing is surplus. */
  private silence(view: InstanceView): UnreachableVerdict {
    const { unreachableStrategy } = this.input.app.spec;
    const verdict = unreachablePhase(unreachableStrategy, this.input.ageMs(view));
    const isWaiting = verdict.phase === 'wait' && unreachableStrategy !== 'disabled';
    return isWaiting && isReplaced(view) ? { ...verdict, phase: 'inactive' } : verdict;
  }

  /** An instance that is to go: kill it until it is dead, then forget it. */
  private retire(view: InstanceView): void {
    if (view.task === undefined) {
      if (!this.input.launching.has(view.id)) this.actions.push({ kind: 'forget', view });
      return;
    }
    if (hasEnded(view) || this.isOutOfReach(view)) {
      this.actions.push({ kind: 'forget', view });
      return;
    }
    this.actions.push({ kind: 'kill', view, reason: 'DECOMMISSIONED' });
    this.wake(LIMITS.killRetryMs);
  }

  /** The master has the kill on record and sends it when the agent is back: nothing is left for us to do. */
  private isOutOfReach(view: InstanceView): boolean {
    if (view.condition !== 'Unreachable' || view.task?.record.status.killRequested === undefined) return false;
    return this.deleted || this.silence(view).phase === 'expunge';
  }

  private killIfDue(view: InstanceView): void {
    const task = view.task?.record;
    if (task === undefined || this.deleted) return;
    const { incarnation } = view.instance.record.spec;
    const asked = view.instance.record.metadata.annotations?.[KILL_ANNOTATION] === String(incarnation);
    if (asked) this.kill(view, 'USER_REQUEST');
    else if (task.status.killRequested !== undefined) this.wake(LIMITS.killRetryMs);
    else if (view.condition === 'Running' && isBeyondHelp(view)) this.kill(view, 'UNHEALTHY');
    else this.killIfStuck(view);
  }

  private kill(view: InstanceView, reason: KillReason): void {
    this.actions.push({ kind: 'kill', view, reason });
    this.wake(LIMITS.killRetryMs);
  }

  private killIfStuck(view: InstanceView): void {
    const status = view.task?.record.status;
    if (status === undefined || !['Provisioned', 'Staging', 'Starting'].includes(view.condition)) return;
    // While the agent says what it is doing (pulling an image), its own time limits apply on top.
    const pullMs = status.latest?.phase === undefined ? 0 : LIMITS.dockerPullMs;
    const leftMs = this.input.launchTimeoutMs + pullMs - this.input.ageMs(view);
    if (leftMs > 0) this.wake(leftMs);
    else this.kill(view, 'LAUNCH_TIMEOUT');
  }

  /** Makes the number of instances right. */
  fill(counted: readonly InstanceView[]): void {
    const { app, phase, former } = this.input;
    if (this.deleted) return this.stopAll(counted);
    if (phase.kind === 'before') {
      if (former !== undefined) this.schedule(former.instances - counted.length, former.version);
      return;
    }
    if (phase.kind === 'now' && phase.action === 'RestartApplication') return this.restart(counted);
    const asked = phase.kind === 'now';
    this.schedule(app.spec.instances - counted.length, app.spec.version);
    this.decommission(counted, counted.length - app.spec.instances, asked);
  }

  private stopAll(counted: readonly InstanceView[]): void {
    for (const view of counted) this.retireNow(view, 'APP_DELETED', true);
  }

  private retireNow(view: InstanceView, reason: KillReason, asked: boolean): void {
    if (this.outdatesRecord(view)) this.kept += 1;
    else this.actions.push({ kind: 'decommission', view, reason, asked });
  }

  /**
   * It was started for a definition that the app's record knows nothing of: the store went back in time, and what its record
   * wants is no wish about this instance. The next change by the user is newer than both.
   */
  private outdatesRecord({ instance, task }: InstanceView): boolean {
    const { metadata, spec } = this.input.app;
    if (task === undefined || metadata.annotations?.[RELEASE_BRAKE_ANNOTATION] !== undefined) return false;
    const { appVersion } = instance.record.spec;
    return appVersion > spec.version && appVersion > (metadata.deletionTimestamp ?? '');
  }

  private schedule(wanted: number, version: string): void {
    const count = wanted - this.input.unreadable;
    if (count > 0) this.actions.push({ kind: 'schedule', count, version });
  }

  private decommission(counted: readonly InstanceView[], count: number, asked: boolean): void {
    if (count <= 0) return;
    // Each silent instance that was replaced by the user's strategy allows for one surplus when it comes back.
    const replaced = counted.filter((view) => view.instance.record.status?.['replacedAt'] !== undefined).length;
    const { killSelection } = this.input.app.spec;
    const known = counted.filter((view) => !this.outdatesRecord(view));
    const victims = selectVictims(known, count, killSelection, this.input.groupOf);
    const idle = victims.filter((view) => view.task === undefined);
    for (const view of idle) this.retireNow(view, 'SURPLUS', true);
    // Those that the record does not know of are no reason to stop one that it knows.
    const unknown = Math.min(counted.length - known.length, count - idle.length);
    this.kept += unknown;
    const running = victims.filter((view) => view.task !== undefined);
    const isAsked = asked || count <= replaced;
    for (const view of running.slice(0, count - idle.length - unknown)) this.retireNow(view, 'SURPLUS', isAsked);
  }

  /** Rolling replacement; see core/deployment/restart. */
  private restart(counted: readonly InstanceView[]): void {
    const { app, views } = this.input;
    const order = killOrder(app.spec.killSelection);
    const old = counted.filter((view) => !isCurrent(app, view)).sort(order);
    const fresh = counted.filter((view) => isCurrent(app, view));
    const stopping = views.filter(
      (view) => view.instance.record.spec.goal !== 'Running' && view.condition !== 'Unreachable' && !hasEnded(view),
    ).length;
    const plan = planRestart({
      wanted: app.spec.instances,
      strategy: app.spec.upgradeStrategy,
      old: old.map(memberOf),
      fresh: fresh.map(memberOf),
      stopping,
      resident: hasPersistentVolume(app.spec),
    });
    const byId = new Map(old.map((view) => [view.id, view]));
    for (const id of plan.kill) {
      const view = byId.get(id);
      if (view !== undefined) this.retireNow(view, 'OUTDATED', true);
    }
    this.schedule(plan.start, app.spec.version);
    this.decommission(fresh, fresh.length - app.spec.instances, true);
  }
}

function memberOf(view: InstanceView): Member {
  const serving = isServing(view);
  const isUnhealthy = view.task !== undefined && healthOf(view.task.record) === 'unhealthy';
  return { id: view.id, serving, broken: !serving && (view.condition !== 'Running' || isUnhealthy) };
}

/** A replacement was started during this silence, not during one before. */
function isReplaced({ instance, task }: InstanceView): boolean {
  const silenceMs = instance.record.status?.['replacedSilenceMs'];
  return silenceMs !== undefined && silenceMs === (task?.record.status.unreachableSinceMs ?? 0);
}

/** Marathon: killed at maxConsecutiveFailures (never, if 0); the task knows the number it was started with. */
function isBeyondHelp(view: InstanceView): boolean {
  const task = view.task?.record;
  const results = task?.status.latest?.health ?? [];
  return (task?.spec.info.health_checks ?? []).some((check, at) => {
    const max = Number(check['max_consecutive_failures'] ?? 0);
    const result = results[at];
    return max > 0 && result !== null && result !== undefined && !result.alive && result.consecutiveFailures >= max;
  });
}
