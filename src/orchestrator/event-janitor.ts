import { LIMITS } from '../core/limits';
import { expiredEvents } from '../core/records/event-recorder';
import { writeFenced, type OrchestratorContext } from './context';

/** Removes events that are too old or too many, one commit's worth at a time, for as long as the term lasts. */
export class EventJanitor {
  private stopped = false;

  constructor(private readonly context: OrchestratorContext) {}

  start(): void {
    this.context.clock.after(LIMITS.eventJanitorMs, () => void this.clean());
  }

  stop(): void {
    this.stopped = true;
  }

  private async clean(): Promise<void> {
    if (this.stopped || this.context.signal.aborted) return;
    try {
      const expired = expiredEvents(this.context.records.collection('Event').list(), this.context.clock.nowMs());
      await writeFenced(this.context, expired);
    } catch {
      // Nothing depends on it: the next round takes what is left.
    }
    this.start();
  }
}
