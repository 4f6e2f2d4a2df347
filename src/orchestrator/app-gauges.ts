import type { Clock } from '../core/ports/clock';
import type { Metrics } from '../core/ports/metrics';
import type { Records } from '../core/ports/records';
import type { App } from '../core/records/app';
import { isTerminal } from '../core/records/mesos';
import { appPath } from '../core/records/paths';
import type { Rollout } from '../core/records/records';
import { appIdOfTask } from './app-placements';
import type { LaunchQueue } from './launch-queue';
import type { OrchestratorMetrics } from './orchestrator-metrics';

/**
 * What is counted of apps and rollouts when somebody looks. Only the leader shows it, and after `stop` it shows nothing: the sum
 * over all replicas is right at any time. Series of an app end with the app.
 */
export class AppGauges {
  private uncollect: () => void = () => undefined;

  constructor(
    private readonly records: Records,
    private readonly queue: LaunchQueue,
    private readonly clock: Clock,
    private readonly metrics: OrchestratorMetrics,
  ) {}

  start(collectors: Pick<Metrics, 'onCollect'>): void {
    this.uncollect = collectors.onCollect(() => this.collect());
    this.metrics.brakeEngaged.set(0);
    for (const result of ['succeeded', 'failed']) this.metrics.rollouts.inc({ result }, 0);
  }

  stop(): void {
    this.uncollect();
    const { rolloutsActive, orphanedTasks, brakeEngaged, taskFailures } = this.metrics;
    for (const gauge of [...this.perApp(), rolloutsActive, orphanedTasks, brakeEngaged]) gauge.reset();
    taskFailures.forget();
  }

  private perApp() {
    const { info, desired, staged, running, healthy, unhealthy } = this.metrics;
    const { queueLength, refusals, delaySeconds, rolloutAgeSeconds } = this.metrics;
    return [
      ...[info, desired, staged, running, healthy, unhealthy],
      ...[queueLength, refusals, delaySeconds, rolloutAgeSeconds],
    ];
  }

  private collect(): void {
    for (const gauge of this.perApp()) gauge.reset();
    const ids = new Set<string>();
    for (const { record } of this.records.collection('App').list()) {
      ids.add(record.spec.id);
      this.collectApp(record);
      this.collectQueue(record.spec.id);
    }
    this.metrics.taskFailures.show(ids);
    for (const { record } of this.records.collection('Rollout').list()) this.collectRollout(record);
    this.metrics.rolloutsActive.set(this.records.collection('Rollout').size);
    this.metrics.orphanedTasks.set(this.countOrphans());
  }

  private collectApp({ spec, status, metadata }: App): void {
    const labels = { app: spec.id };
    const { metrics } = this;
    metrics.info.set(1, { ...labels, role: spec.role, image: spec.container?.docker?.image ?? '' });
    metrics.desired.set(metadata.deletionTimestamp === undefined ? spec.instances : 0, labels);
    metrics.staged.set(status?.tasksStaged ?? 0, labels);
    metrics.running.set(status?.tasksRunning ?? 0, labels);
    metrics.healthy.set(status?.tasksHealthy ?? 0, labels);
    metrics.unhealthy.set(status?.tasksUnhealthy ?? 0, labels);
  }

  private collectQueue(app: string): void {
    const { queueLength, delaySeconds, refusals } = this.metrics;
    queueLength.set(this.queue.waitingCount(app), { app });
    delaySeconds.set(this.queue.delayLeftMs(app) / 1000, { app });
    for (const [reason, agents] of this.queue.refusalsOf(app)) refusals.set(agents, { app, reason });
  }

  private collectRollout({ metadata, spec, status }: Rollout): void {
    if (status.state === 'Succeeded' || status.state === 'Failed') return;
    const ageMs = this.clock.nowMs() - Date.parse(metadata.creationTimestamp);
    for (const { id } of spec.apps) this.metrics.rolloutAgeSeconds.set(Math.max(0, ageMs / 1000), { app: id });
  }

  private countOrphans(): number {
    let count = 0;
    for (const { record } of this.records.collection('Task').list()) {
      const appId = appIdOfTask(record);
      if (appId === undefined || isTerminal(record.status.state)) continue;
      if (this.records.collection('App').get(appPath(appId)) === undefined) count++;
    }
    return count;
  }
}
