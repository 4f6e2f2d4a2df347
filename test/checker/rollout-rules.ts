import type { Records, RecordWrite } from '../../src/core/ports/records';
import {
  instancesOf,
  isServing,
  type InstanceCondition,
  type InstanceView,
  type RecordView,
} from '../../src/core/lifecycle/views';
import type { AppSpec } from '../../src/core/records/app';
import type { Instance } from '../../src/core/records/records';
import type { History } from './history';
import type { Truth } from './truth';
import type { RuleClock } from './time';

/** Losses of serving instances that the orchestrator cannot have known about when it decided, milliseconds. */
const BLIND_MS = 3_000;

/**
 * Upgrade strategy, judged when the orchestrator decides: against the mirror it decides from, before each of its writes. Between
 * decision and write a task may have died, so what was lost in the last moments counts as serving.
 */
export class RolloutRules {
  private readonly losses: { readonly appId: string; readonly atMs: number }[] = [];

  constructor(
    private readonly truth: Truth,
    private readonly history: History,
    private readonly clock: RuleClock,
  ) {}

  /** The same records, with an eye on what is written. */
  watching(records: Records): Records {
    const write: Records['write'] = async (writes, fence) => {
      const verdicts = writes.flatMap((one) => this.judge(records, one) ?? []);
      const revision = await records.write(writes, fence);
      // A deposed leader may want anything: what counts is what the store took.
      for (const verdict of verdicts) this.history.violate('counts within the upgrade strategy', verdict);
      return revision;
    };
    return new Proxy(records, {
      get: (target, name, receiver) => {
        if (name === 'write') return write;
        const value: unknown = Reflect.get(target, name, receiver);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
  }

  /** A commit of a recorded run, judged against the records as they were just before it. */
  committed(records: RecordView, path: string, instance: Instance): void {
    const verdict = this.judgeInstance(records, path, instance);
    if (verdict !== undefined) this.history.violate('counts within the upgrade strategy', verdict);
  }

  private judge(records: RecordView, write: RecordWrite): string | undefined {
    if (write.op !== 'put' || write.kind !== 'Instance') return undefined;
    return this.judgeInstance(records, write.path, write.record);
  }

  private judgeInstance(records: RecordView, path: string, instance: Instance): string | undefined {
    const before = records.collection('Instance').get(path)?.record;
    const { appId, goal } = instance.spec;
    if (before === undefined && goal === 'Running') return this.judgeMaximum(records, appId);
    return before?.spec.goal === 'Running' && goal !== 'Running' ? this.judgeMinimum(records, before) : undefined;
  }

  /** No more wanted instances than the strategy allows, those on unreachable agents aside. */
  private judgeMaximum(records: RecordView, appId: string): string | undefined {
    const { underWay } = this.truth.appOf(appId);
    const active = instancesOf(records, appId).filter(
      (view) => view.instance.record.spec.goal === 'Running' && !isOver(view.condition),
    );
    const limit = Math.max(0, ...underWay.map(maximumOf));
    if (active.length + 1 <= limit) return undefined;
    return `${appId} gets instance ${active.length + 1}, at most ${limit} are allowed: ${listed(active)}`;
  }

  private judgeMinimum(records: RecordView, instance: Instance): string | undefined {
    const { appId } = instance.spec;
    const app = this.truth.appOf(appId);
    if (!app.present || app.deleting || app.disturbing.size === 0) return undefined;
    // An even spread comes before service when an app gets fewer.
    if (app.underWay.some((spec) => spec.constraints.some(([, operator]) => operator === 'GROUP_BY'))) return undefined;
    const { name } = instance.metadata;
    if (this.truth.killedByUsers.has(name) || this.truth.instances.get(name)?.killedRuns.size) return undefined;
    const views = instancesOf(records, appId);
    const view = views.find(({ id }) => id === name);
    if (view === undefined || !isServing(view)) return undefined;
    const left = views.filter(
      (other) => other !== view && isServing(other) && other.instance.record.spec.goal === 'Running',
    );
    const floor = Math.min(...app.underWay.map(minimumOf));
    if (left.length + this.recentLosses(appId) >= floor) return undefined;
    return `${appId} loses a serving instance, ${left.length} are left, the minimum is ${floor}: ${listed(views)}`;
  }

  /** Called for every change the truth sees of tasks of an app; see World. */
  lost(appId: string): void {
    this.losses.push({ appId, atMs: this.clock.monotonicMs() });
  }

  private recentLosses(appId: string): number {
    const sinceMs = this.clock.monotonicMs() - BLIND_MS;
    while (this.losses[0] !== undefined && this.losses[0].atMs < sinceMs) this.losses.shift();
    return this.losses.filter((loss) => loss.appId === appId).length;
  }
}

function minimumOf({ instances, upgradeStrategy }: AppSpec): number {
  return Math.ceil(instances * upgradeStrategy.minimumHealthCapacity);
}

/** Marathon: one more when minimum and maximum are the same, else nothing could ever move. */
function maximumOf(spec: AppSpec): number {
  const { instances, upgradeStrategy } = spec;
  const most = Math.floor(instances * (1 + upgradeStrategy.maximumOverCapacity));
  return most === minimumOf(spec) ? most + 1 : most;
}

/** Holds no place any more, or nobody knows. */
function isOver(condition: InstanceCondition): boolean {
  return ['Unreachable', 'Finished', 'Failed', 'Killed', 'Error', 'Gone', 'Dropped'].includes(condition);
}

function listed(views: readonly InstanceView[]): string {
  return views.map((view) => `${view.id.slice(-6)} ${view.instance.record.spec.goal} ${view.condition}`).join(', ');
}
