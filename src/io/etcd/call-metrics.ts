import { BerthError } from '../../core/errors';
import type { Clock } from '../../core/ports/clock';
import type { Counter, Gauge, Histogram, Metrics } from '../../core/ports/metrics';
import { isServiceError } from './failures';

/** Times every unary call to etcd, and tells how well commits are grouped. */
export class CallMetrics {
  private readonly duration: Histogram;
  private readonly failures: Counter;
  private readonly groups: Histogram;
  private readonly queue: Gauge;

  constructor(
    private readonly clock: Clock,
    private readonly metrics: Metrics,
  ) {
    this.duration = metrics.histogram({
      name: 'berth_etcd_request_duration_seconds',
      help: 'Time of calls to etcd, failed ones included.',
      labels: ['call'],
      buckets: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
    });
    this.failures = metrics.counter({
      name: 'berth_etcd_request_failures_total',
      help: 'Calls to etcd that failed.',
      labels: ['call', 'code'],
    });
    this.groups = metrics.histogram({
      name: 'berth_etcd_grouped_commits',
      help: 'Commits sent in one etcd transaction.',
      buckets: [1, 2, 4, 8, 16, 32, 64],
    });
    this.queue = metrics.gauge({ name: 'berth_etcd_queued_commits', help: 'Commits that wait to be sent to etcd.' });
  }

  async time<T>(call: string, run: () => Promise<T>): Promise<T> {
    const startMs = this.clock.monotonicMs();
    try {
      return await run();
    } catch (error) {
      this.failures.inc({ call, code: codeOf(error) });
      throw error;
    } finally {
      this.duration.observe((this.clock.monotonicMs() - startMs) / 1000, { call });
    }
  }

  grouped(commits: number): void {
    this.groups.observe(commits);
  }

  reportQueue(length: () => number): void {
    this.metrics.onCollect(() => this.queue.set(length()));
  }
}

function codeOf(error: unknown): string {
  if (error instanceof BerthError) return error.code;
  return isServiceError(error) ? String(error.code) : 'UNKNOWN';
}
