import { messageOf } from '../core/errors';
import { LIMITS } from '../core/limits';
import type { Clock } from '../core/ports/clock';
import type { Logger } from '../core/ports/logger';
import type { TaskUsage } from '../core/ports/task-driver';

export interface UsageSource {
  /** Running tasks. */
  taskIds(): readonly string[];
  usage(taskId: string): Promise<TaskUsage>;
}

export interface UsageSample extends TaskUsage {
  /** Milliseconds since the epoch. */
  readonly atMs: number;
}

/**
 * What tasks use. Measured only when somebody asks and the last measurement is older than LIMITS.usageAgeMs: an agent that nobody
 * scrapes measures nothing.
 */
export class UsageSampler {
  private samples = new Map<string, UsageSample>();
  private measuredAtMs = Number.NEGATIVE_INFINITY;
  private running: Promise<void> | undefined;

  constructor(
    private readonly source: UsageSource,
    private readonly clock: Clock,
    private readonly log: Logger,
  ) {}

  /** The last measurement, at once; starts a new one if that is old. Ended tasks are not in it. */
  latest(): ReadonlyMap<string, UsageSample> {
    void this.refresh();
    const living = new Set(this.source.taskIds());
    for (const id of this.samples.keys()) if (!living.has(id)) this.samples.delete(id);
    return this.samples;
  }

  /** Waits for a measurement that is not older than LIMITS.usageAgeMs. */
  async fresh(): Promise<ReadonlyMap<string, UsageSample>> {
    await this.refresh();
    return this.latest();
  }

  private refresh(): Promise<void> {
    if (this.running !== undefined) return this.running;
    if (this.clock.monotonicMs() - this.measuredAtMs < LIMITS.usageAgeMs) return Promise.resolve();
    this.running = this.measure().finally(() => (this.running = undefined));
    return this.running;
  }

  private async measure(): Promise<void> {
    const queue = [...this.source.taskIds()];
    const samples = new Map<string, UsageSample>();
    const worker = async () => {
      for (let id = queue.shift(); id !== undefined; id = queue.shift()) {
        try {
          samples.set(id, { ...(await this.source.usage(id)), atMs: this.clock.nowMs() });
        } catch (error) {
          this.log.debug('usage of a task unknown', { taskId: id, error: messageOf(error) });
        }
      }
    };
    await Promise.all(Array.from({ length: LIMITS.usageParallel }, worker));
    this.samples = samples;
    this.measuredAtMs = this.clock.monotonicMs();
  }
}
