import { messageOf } from '../../core/errors';
import { LIMITS } from '../../core/limits';
import { sleep, type Clock } from '../../core/ports/clock';
import type { Logger } from '../../core/ports/logger';
import type { Gauge, Metrics } from '../../core/ports/metrics';
import { RepeatLimitedLogger } from '../log/repeat-limit';
import type { EtcdMaintenance, EtcdStatus } from './maintenance';

export interface CompactorOptions {
  /** Age of history that is kept, milliseconds. */
  readonly keepMs?: number;
  /** etcd's --quota-backend-bytes (it does not tell); 2 GiB is its default. */
  readonly quotaBytes?: number;
}

/** Share of the quota above which the log complains. At 1 etcd refuses all writes. */
const ALARM_SHARE = 0.7;

/**
 * Keeps etcd's history short: every `keepMs` forgets what was older than that. Only the leader runs it (two would do no harm).
 * Meanwhile it reports the size of the database.
 */
export class Compactor {
  private readonly log: Logger;
  private readonly keepMs: number;
  private readonly quotaBytes: number;
  private readonly size: Gauge;
  private readonly used: Gauge;
  private readonly share: Gauge;

  constructor(
    private readonly maintenance: Pick<EtcdMaintenance, 'status' | 'compact'>,
    private readonly clock: Clock,
    log: Logger,
    metrics: Metrics,
    options: CompactorOptions = {},
  ) {
    this.log = new RepeatLimitedLogger(log, clock);
    this.keepMs = options.keepMs ?? LIMITS.compactAfterMs;
    this.quotaBytes = options.quotaBytes ?? LIMITS.etcdQuotaBytes;
    this.size = metrics.gauge({ name: 'berth_etcd_database_bytes', help: 'Size of the database file of etcd.' });
    this.used = metrics.gauge({ name: 'berth_etcd_database_used_bytes', help: 'Part of it that holds data.' });
    this.share = metrics.gauge({
      name: 'berth_etcd_quota_used_ratio',
      help: 'Database size by quota; at 1 etcd is full.',
    });
  }

  /** Runs until `signal` aborts. Never rejects: trouble is logged and the next round tries again. */
  async run(signal: AbortSignal): Promise<void> {
    let previous = 0;
    while (!signal.aborted) {
      previous = await this.round(previous);
      await sleep(this.clock, this.keepMs, signal);
    }
    for (const gauge of [this.size, this.used, this.share]) gauge.reset(); // the next leader tells
  }

  /** Compacts up to the revision of the round before; returns the one of this round. */
  private async round(previous: number): Promise<number> {
    try {
      const status = await this.maintenance.status();
      this.report(status);
      if (previous > 0) await this.maintenance.compact(previous);
      return status.revision;
    } catch (error) {
      this.log.warn('cannot compact the history of etcd', { error: messageOf(error) });
      return previous;
    }
  }

  private report(status: EtcdStatus): void {
    const share = status.databaseBytes / this.quotaBytes;
    this.size.set(status.databaseBytes);
    this.used.set(status.databaseUsedBytes);
    this.share.set(share);
    if (status.alarms.length > 0)
      this.log.error('etcd raises an alarm and may refuse writes', { alarms: status.alarms });
    if (share >= ALARM_SHARE)
      this.log.warn('the database of etcd nears its quota', {
        databaseBytes: status.databaseBytes,
        quotaBytes: this.quotaBytes,
      });
  }
}
