import { UnavailableError } from '../../src/core/errors';
import type { AgentCall, AgentEvent, AgentLink, AgentSession } from '../../src/core/ports/agent-link';
import { sleep } from '../../src/core/ports/clock';
import type { FakeClock } from '../support/fakes';
import type { Dice } from './dice';
import type { SimProcess } from './process';

export type SubscribeCall = Extract<AgentCall, { type: 'SUBSCRIBE' }>;
export type LaterCall = Exclude<AgentCall, { type: 'SUBSCRIBE' }>;

/** The master's end of one stream. */
export interface MasterSession {
  call(call: LaterCall): void | Promise<void>;
  /** The stream has ended on the agent's side. */
  closed(reason: string): void;
}

/** A leading master as an agent finds it on the network. */
export interface MasterDoor {
  readonly process: SimProcess;
  connect(
    subscribe: SubscribeCall,
    send: (event: AgentEvent) => void,
    close: (reason: string) => void,
  ): MasterSession | Promise<MasterSession>;
}

/** How bad the network between an agent and the masters is. Changed by the world while it runs. */
export interface LinkTrouble {
  /** Nothing gets through and nobody is told. */
  cut: boolean;
  slow: number;
  /** Share of calls that do not arrive, and of those that arrive but whose answer is lost. */
  loseCall: number;
  loseAnswer: number;
}

/** One open stream with its two ends. Events keep their order; calls are requests of their own and may overtake. */
class Wire {
  isOpen = true;
  /** Something was lost on the way, so nothing more comes: a stream has no gaps. Its ends need not know. */
  private isBroken = false;
  private master: MasterSession | undefined;
  private nextAtMs = 0;

  constructor(
    private readonly agent: SimProcess,
    private readonly server: SimProcess,
    private readonly clock: FakeClock,
    private readonly dice: Dice,
    private readonly trouble: LinkTrouble,
    private readonly onEvent: (event: AgentEvent) => void,
    private readonly onClosed: (reason: string) => void,
  ) {}

  attach(master: MasterSession): void {
    this.master = master;
  }

  down(event: AgentEvent): void {
    if (!this.server.isAlive || !this.isOpen) return;
    const delayMs = this.dice.hit(this.trouble.slow) ? this.dice.between(1, 2_000) : 0;
    this.nextAtMs = Math.max(this.nextAtMs, this.clock.monotonicMs() + delayMs);
    this.clock.after(this.nextAtMs - this.clock.monotonicMs(), () => {
      if (this.trouble.cut) this.isBroken = true;
      if (this.isOpen && !this.isBroken && this.agent.isAlive) this.onEvent(copyOf(event));
    });
  }

  /** Both sides learn that the stream is over, each only if the network lets it. */
  end(reason: string, by: 'agent' | 'master' | 'network'): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    const heard = !this.trouble.cut && !this.isBroken;
    this.clock.after(this.dice.between(0, 5), () => {
      if (by !== 'agent' && this.agent.isAlive && heard) this.onClosed(reason);
      if (by !== 'master' && this.server.isAlive && heard) this.master?.closed(reason);
    });
  }

  async up(call: LaterCall): Promise<void> {
    if (this.dice.hit(this.trouble.slow)) await sleep(this.clock, this.dice.between(1, 1_500));
    if (this.trouble.cut || !this.server.isAlive) await this.unanswered();
    if (!this.isOpen || this.dice.hit(this.trouble.loseCall)) throw new UnavailableError('master');
    await this.master?.call(copyOf(call));
    if (this.trouble.cut || this.dice.hit(this.trouble.loseAnswer))
      throw new UnavailableError('master', { detail: 'the answer was lost' });
  }

  private async unanswered(): Promise<never> {
    await sleep(this.clock, this.dice.one(5, 1_000, 5_000));
    throw new UnavailableError('master', { detail: 'no answer' });
  }
}

/** An agent's way to whoever leads, in memory, with the faults of its network. One per agent process. */
export class SimLink implements AgentLink {
  private wire: Wire | undefined;

  constructor(
    private readonly process: SimProcess,
    private readonly clock: FakeClock,
    private readonly dice: Dice,
    private readonly trouble: LinkTrouble,
    private readonly findMaster: () => MasterDoor | undefined,
  ) {}

  connect(
    subscribe: SubscribeCall,
    onEvent: (event: AgentEvent) => void,
    onClosed: (reason: string) => void,
  ): Promise<AgentSession> {
    return this.process.call(async () => {
      await sleep(this.clock, this.dice.one(1, 1, 2, 200));
      const door = this.findMaster();
      if (this.trouble.cut || door === undefined) throw new UnavailableError('master');
      const wire = new Wire(this.process, door.process, this.clock, this.dice, this.trouble, onEvent, onClosed);
      this.wire = wire;
      const session = await door.connect(
        copyOf(subscribe),
        (event) => wire.down(event),
        (reason) => wire.end(reason, 'master'),
      );
      wire.attach(session);
      this.endWithEither(wire, door.process);
      if (this.trouble.cut) {
        await sleep(this.clock, 5_000);
        throw new UnavailableError('master', { detail: 'no answer' });
      }
      return {
        send: (call) => this.process.call(() => wire.up(call)),
        close: () => wire.end('the agent closed the stream', 'agent'),
      };
    });
  }

  /** The connection breaks and both sides notice. */
  break(): void {
    this.wire?.end('connection reset', 'network');
  }

  /** A dead process' kernel usually says goodbye for it; a dead machine does not. */
  private endWithEither(wire: Wire, server: SimProcess): void {
    const says = this.dice.hit(0.7);
    const goodbye = (by: 'agent' | 'master') => () => {
      if (says) wire.end('the other side is gone', by);
    };
    this.process.killed.addEventListener('abort', goodbye('agent'), { once: true });
    server.killed.addEventListener('abort', goodbye('master'), { once: true });
  }
}

/** What the other side gets is what JSON makes of it. */
function copyOf<T>(message: T): T {
  return JSON.parse(JSON.stringify(message)) as T;
}
