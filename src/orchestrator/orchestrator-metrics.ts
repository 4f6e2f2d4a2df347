import type { Counter, Gauge, Histogram, Metrics } from '../core/ports/metrics';

/** Every metric of the orchestrator in one place. */
export interface OrchestratorMetrics {
  readonly desired: Gauge;
  readonly running: Gauge;
  readonly healthy: Gauge;
  readonly queueLength: Gauge;
  readonly delaySeconds: Gauge;
  readonly rolloutsActive: Gauge;
  readonly rollouts: Counter;
  readonly launches: Counter;
  readonly offers: Counter;
  readonly matchingSeconds: Histogram;
  readonly kills: Counter;
  readonly brakeEngaged: Gauge;
  readonly orphanedTasks: Gauge;
}

export function orchestratorMetrics(metrics: Metrics): OrchestratorMetrics {
  const app = ['app'];
  return {
    desired: metrics.gauge({ name: 'berth_app_instances_desired', help: 'Instances an app should have.', labels: app }),
    running: metrics.gauge({ name: 'berth_app_instances_running', help: 'Instances of an app that run.', labels: app }),
    healthy: metrics.gauge({
      name: 'berth_app_instances_healthy',
      help: 'Instances of an app whose health checks all pass.',
      labels: app,
    }),
    queueLength: metrics.gauge({
      name: 'berth_launch_queue_length',
      help: 'Instances of an app that wait for a place.',
      labels: app,
    }),
    delaySeconds: metrics.gauge({
      name: 'berth_app_delay_seconds',
      help: 'Seconds for which back-off still holds launches of an app.',
      labels: app,
    }),
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
