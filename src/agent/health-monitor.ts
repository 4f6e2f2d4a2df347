import { sleep, type Clock } from '../core/ports/clock';
import type { HealthResult, MesosHealthCheck, ReadinessResult, TaskInfo } from '../core/records/mesos';
import { afterProbe } from './health-state';
import type { TaskProbe } from './task-probe';

/** No check is asked more often, whatever it says: each answer may be an update. */
const MIN_INTERVAL_MS = 100;

/** Everything the checks of a task have said so far. */
export interface Vitals {
  /** By index of TaskInfo.health_checks; null: no result yet. */
  readonly health: readonly (HealthResult | null)[];
  /** Result of TaskInfo.health_check. */
  readonly own?: HealthResult;
  readonly readiness: readonly ReadinessResult[];
}

export interface MonitorListener {
  changed(vitals: Vitals): void;
  /** TaskInfo.health_check has failed as often in a row as it says (Mesos kills then). */
  failed(cause: string): void;
}

/** Runs the health and readiness checks of one running task until stopped. */
export class HealthMonitor {
  private readonly stopped = new AbortController();
  private readonly health: (HealthResult | undefined)[];
  private own: HealthResult | undefined;
  private readonly readiness: Map<string, ReadinessResult>;

  /**
   * @param startedAgoMs since when the task runs: grace periods count from there
   * @param before what was known before the agent restarted
   */
  constructor(
    private readonly info: TaskInfo,
    private readonly probe: TaskProbe,
    private readonly clock: Clock,
    private readonly startedAgoMs: number,
    before: Vitals | undefined,
    private readonly listener: MonitorListener,
  ) {
    this.health = (info.health_checks ?? []).map((_, index) => before?.health[index] ?? undefined);
    this.own = before?.own;
    this.readiness = new Map(before?.readiness.map((result) => [result.name, result]));
  }

  start(): void {
    const startMs = this.clock.monotonicMs() - this.startedAgoMs;
    (this.info.health_checks ?? []).forEach((check, index) => {
      void this.watch(check, startMs, {
        get: () => this.health[index],
        set: (result) => void (this.health[index] = result),
      });
    });
    const own = this.info.health_check;
    if (own !== undefined)
      void this.watch(own, startMs, { get: () => this.own, set: (result) => this.setOwn(own, result) });
    for (const check of this.info.readiness_checks ?? []) void this.watchReadiness(check);
  }

  stop(): void {
    this.stopped.abort();
  }

  get vitals(): Vitals {
    return {
      health: this.health.map((result) => result ?? null),
      readiness: [...this.readiness.values()],
      ...(this.own === undefined ? {} : { own: this.own }),
    };
  }

  private async watch(
    check: MesosHealthCheck,
    startMs: number,
    slot: { get(): HealthResult | undefined; set(result: HealthResult): void },
  ): Promise<void> {
    const { signal } = this.stopped;
    const graceEndMs = startMs + check.grace_period_seconds * 1_000;
    await this.pause(check.delay_seconds - this.startedAgoMs / 1_000);
    while (!signal.aborted) {
      const outcome = await this.probe.check(check);
      if (signal.aborted) return;
      const inGrace = this.clock.monotonicMs() < graceEndMs;
      const before = slot.get();
      const after = afterProbe(before, outcome, inGrace, this.clock.nowMs());
      if (after !== undefined && after !== before) {
        slot.set(after);
        this.listener.changed(this.vitals);
      }
      await this.pause(check.interval_seconds);
    }
  }

  private setOwn(check: MesosHealthCheck, result: HealthResult): void {
    this.own = result;
    const limit = check.consecutive_failures;
    if (limit > 0 && result.consecutiveFailures >= limit)
      this.listener.failed(
        `Task was killed since its health check failed ${result.consecutiveFailures} times in a row: ${result.lastFailureCause ?? ''}`,
      );
  }

  private async watchReadiness(check: NonNullable<TaskInfo['readiness_checks']>[number]): Promise<void> {
    const { signal } = this.stopped;
    while (!signal.aborted && this.readiness.get(check.name)?.ready !== true) {
      const answer = await this.probe.answer(check);
      if (signal.aborted) return;
      const result: ReadinessResult = {
        name: check.name,
        ready: answer?.status !== undefined && check.statuses.includes(answer.status),
        ...(check.preserve_last_response === true && answer?.status !== undefined
          ? {
              lastResponse: {
                status: answer.status,
                contentType: answer.contentType ?? '',
                body: answer.body ?? '',
              },
            }
          : {}),
      };
      const before = this.readiness.get(check.name);
      if (JSON.stringify(before) !== JSON.stringify(result)) {
        this.readiness.set(check.name, result);
        this.listener.changed(this.vitals);
      }
      if (!result.ready) await this.pause(check.interval_seconds);
    }
  }

  private pause(seconds: number): Promise<void> {
    if (seconds <= 0 && this.startedAgoMs > 0) return sleep(this.clock, MIN_INTERVAL_MS, this.stopped.signal);
    return sleep(this.clock, Math.max(MIN_INTERVAL_MS, seconds * 1_000), this.stopped.signal);
  }
}
