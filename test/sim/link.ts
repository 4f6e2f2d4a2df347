import { UnavailableError } from '../../src/core/errors';
import { LIMITS } from '../../src/core/limits';
import type { AgentCall, AgentEvent, AgentLink, AgentSession } from '../../src/core/ports/agent-link';
import { sleep } from '../../src/core/ports/clock';
import type { FakeClock } from '../support/fakes';
import type { Dice } from './dice';
import { never, type SimProcess } from './process';

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
  /** Nothing gets through to the masters, to the agent; and nobody is told. */
  cutUp: boolean;
  cutDown: boolean;
  slow: number;
  /** Share of calls that do not arrive, and of those that arrive but whose answer is lost. */
  loseCall: number;
  loseAnswer: number;
  /** Share of calls that arrive twice. */
  twice: number;
}

export function goodNetwork(): LinkTrouble {
  return { cutUp: false, cutDown: false, slow: 0, loseCall: 0, loseAnswer: 0, twice: 0 };
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
      if (this.trouble.cutDown) this.isBroken = true;
      if (!this.isOpen || this.isBroken) return;
      this.agent.enter(() => {
        if (this.isOpen) this.onEvent(copyOf(event));
      });
    });
  }

  /** Both sides learn that the stream is over, each only if the network lets it. */
  end(reason: string, by: 'agent' | 'master' | 'network'): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    const { cutUp, cutDown } = this.trouble;
    const isBroken = this.isBroken;
    this.clock.after(this.dice.between(0, 5), () => {
      if (by !== 'agent' && !cutDown && !isBroken) this.agent.enter(() => this.onClosed(reason));
      if (by !== 'master' && !cutUp && !isBroken) this.server.enter(() => this.master?.closed(reason));
    });
  }

  async up(call: LaterCall): Promise<void> {
    if (this.dice.hit(this.trouble.slow)) await sleep(this.clock, this.dice.between(1, 1_500));
    if (this.trouble.cutUp || !this.server.isAlive) await this.unanswered();
    if (!this.isOpen || this.dice.hit(this.trouble.loseCall)) throw new UnavailableError('master');
    await this.handled(call);
    if (this.dice.hit(this.trouble.twice)) await this.handled(call);
    if (this.trouble.cutDown) await this.unanswered();
    if (this.dice.hit(this.trouble.loseAnswer)) throw new UnavailableError('master', { detail: 'the answer was lost' });
  }

  private handled(call: LaterCall): Promise<void> {
    return inTime(this.clock, this.server, () => this.master?.call(copyOf(call)));
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
    private readonly findMaster: (dice: Dice) => MasterDoor | undefined,
  ) {}

  connect(
    subscribe: SubscribeCall,
    onEvent: (event: AgentEvent) => void,
    onClosed: (reason: string) => void,
  ): Promise<AgentSession> {
    return this.process.call(async () => {
      await sleep(this.clock, this.dice.one(1, 1, 2, 200));
      const door = this.findMaster(this.dice);
      if (this.trouble.cutUp || door === undefined) throw new UnavailableError('master');
      const wire = new Wire(this.process, door.process, this.clock, this.dice, this.trouble, onEvent, onClosed);
      this.wire = wire;
      const session = await this.opened(door, wire, subscribe);
      wire.attach(session);
      this.endWithEither(wire, door.process);
      if (this.trouble.cutDown) {
        await sleep(this.clock, 5_000);
        throw new UnavailableError('master', { detail: 'no answer' });
      }
      return {
        send: (call) => this.process.call(() => wire.up(call)),
        close: () => wire.end('the agent closed the stream', 'agent'),
      };
    });
  }

  /** A master that does not take the call in time never hears of it: the connection was closed before. */
  private async opened(door: MasterDoor, wire: Wire, subscribe: SubscribeCall): Promise<MasterSession> {
    let isGivenUp = false;
    try {
      return await inTime(this.clock, door.process, () =>
        isGivenUp
          ? never<MasterSession>()
          : door.connect(
              copyOf(subscribe),
              (event) => wire.down(event),
              (reason) => wire.end(reason, 'master'),
            ),
      );
    } catch (error) {
      isGivenUp = true;
      throw error;
    }
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

/** A call to a server that may be paused: it may be taken long after the caller gave it up. */
async function inTime<T>(clock: FakeClock, server: SimProcess, work: () => T | Promise<T>): Promise<T> {
  const isSlow = server.isBusy;
  const done = server.perform(work);
  if (!isSlow) return done;
  const inTime = new AbortController();
  const late = sleep(clock, LIMITS.agentCallMs, inTime.signal).then(() => {
    throw new UnavailableError('master', { detail: 'no answer in time' });
  });
  try {
    return await Promise.race([done, late]);
  } finally {
    late.catch(() => undefined);
    inTime.abort();
  }
}

/** What the other side gets is what JSON makes of it. */
function copyOf<T>(message: T): T {
  return JSON.parse(JSON.stringify(message)) as T;
}
