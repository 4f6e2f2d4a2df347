import type { Counter, Gauge, Histogram, Metrics } from '../core/ports/metrics';

/** Every metric of the orchestrator in one place. */
export interface OrchestratorMetrics {
  readonly info: Gauge;
  readonly desired: Gauge;
  readonly staged: Gauge;
  readonly running: Gauge;
  readonly healthy: Gauge;
  readonly unhealthy: Gauge;
  readonly queueLength: Gauge;
  readonly refusals: Gauge;
  readonly delaySeconds: Gauge;
  readonly rolloutAgeSeconds: Gauge;
  readonly taskFailures: TaskFailures;
  readonly rolloutsActive: Gauge;
  readonly rollouts: Counter;
  readonly launches: Counter;
  readonly offers: Counter;
  readonly matchingSeconds: Histogram;
  readonly kills: Counter;
  readonly brakeEngaged: Gauge;
  readonly orphanedTasks: Gauge;
}

/**
 * Runs that ended by themselves (exit 0 included), by app, from the start of the term. Kept apart from the counter, so that an app that fails while it is being removed
 * leaves no series behind, and an app that never failed shows 0: a rise from nothing is no rise to Prometheus.
 */
export class TaskFailures {
  private readonly counts = new Map<string, number>();

  constructor(private readonly counter: Counter) {}

  note(app: string): void {
    this.counts.set(app, (this.counts.get(app) ?? 0) + 1);
  }

  /** @param apps those that exist; the others are forgotten */
  show(apps: ReadonlySet<string>): void {
    for (const app of this.counts.keys()) if (!apps.has(app)) this.counts.delete(app);
    this.counter.reset();
    for (const app of apps) this.counter.inc({ app }, this.counts.get(app) ?? 0);
  }

  forget(): void {
    this.counts.clear();
    this.counter.reset();
  }
}

export function orchestratorMetrics(metrics: Metrics): OrchestratorMetrics {
  const perApp = (name: string, help: string, ...labels: string[]) =>
    metrics.gauge({ name, help, labels: ['app', ...labels] });
  return {
    info: perApp('berth_app_info', 'Always 1; what an app is.', 'role', 'image'),
    desired: perApp('berth_app_instances_desired', 'Instances an app should have.'),
    staged: perApp('berth_app_instances_staged', 'Instances of an app that are launched and do not run yet.'),
    running: perApp('berth_app_instances_running', 'Instances of an app that run.'),
    healthy: perApp('berth_app_instances_healthy', 'Instances of an app whose health checks all pass.'),
    unhealthy: perApp('berth_app_instances_unhealthy', 'Running instances of an app with a health check that fails.'),
    queueLength: perApp('berth_launch_queue_length', 'Instances of an app that wait for a place.'),
    refusals: perApp(
      'berth_launch_queue_refusals',
      'Agents whose last offer did not serve a waiting app, by reason.',
      'reason',
    ),
    delaySeconds: perApp('berth_app_delay_seconds', 'Seconds for which back-off still holds launches of an app.'),
    rolloutAgeSeconds: perApp(
      'berth_app_rollout_age_seconds',
      'Age of the rollout that changes an app, while it lasts.',
    ),
    taskFailures: new TaskFailures(
      metrics.counter({
        name: 'berth_app_task_failures_total',
        help: 'Tasks of an app that ended although they should run, since this server leads.',
        labels: ['app'],
      }),
    ),
    rolloutsActive: metrics.gauge({ name: 'berth_rollouts_active', help: 'Rollouts on their way.' }),
    rollouts: metrics.counter({
      name: 'berth_rollouts_total',
      help: 'Rollouts that ended, by result.',
      labels: ['result'],
    }),
    launches: metrics.counter({ name: 'berth_launches_total', help: 'Tasks sent to the master for launch.' }),
    offers: metrics.counter({
      name: 'berth_offers_total',
      help: 'Offers received, by what became of them.',
      labels: ['result'],
    }),
    matchingSeconds: metrics.histogram({
      name: 'berth_offer_matching_seconds',
      help: 'Time of one pass of the offer matcher.',
      buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1],
    }),
    kills: metrics.counter({ name: 'berth_kills_total', help: 'Kill calls, by reason.', labels: ['reason'] }),
    brakeEngaged: metrics.gauge({
      name: 'berth_kill_brake_engaged',
      help: 'Kills nobody asked for that are held back: 0 when all is well.',
    }),
    orphanedTasks: metrics.gauge({
      name: 'berth_orphaned_tasks',
      help: 'Running tasks whose app record does not exist; they are left alone.',
    }),
  };
}
