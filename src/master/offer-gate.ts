import { LIMITS } from '../core/limits';
import type { AgentTable } from './agents';
import type { MasterContext } from './context';

/**
 * After the store went back in time (MasterOptions.awaitAgents) nothing is offered until the agents have said what they really
 * run: what the records call lost may run elsewhere, and must not be started twice. Once open it stays open.
 */
export class OfferGate {
  private readonly sinceMs: number;
  private opened: boolean;

  constructor(
    private readonly context: MasterContext,
    private readonly agents: AgentTable,
  ) {
    this.sinceMs = context.clock.monotonicMs();
    this.opened = !context.options.awaitAgents;
  }

  get isOpen(): boolean {
    return this.opened;
  }

  /** Every agent on record has said in this term what it runs, or counts as lost. */
  get isComplete(): boolean {
    return this.opened && !this.isAnyMissing();
  }

  /** True once: it has just opened. */
  opens(): boolean {
    if (this.opened) return false;
    const ageMs = this.context.clock.monotonicMs() - this.sinceMs;
    const isComplete = ageMs >= LIMITS.restoredSettleMs && !this.isAnyMissing();
    if (!isComplete && ageMs < this.context.options.reregisterTimeoutMs) return false;
    this.opened = true;
    this.context.log.info('agents have told what they run, offers begin', { ageMs, isComplete });
    return true;
  }

  private isAnyMissing(): boolean {
    for (const { state } of this.agents.all()) if (state === 'recovered' || state === 'registering') return true;
    return false;
  }
}
