import { LIMITS } from '../../src/core/limits';
import { LEADER_KEY } from '../../src/io/election/lease-election';
import { MemoryLeases } from '../../src/io/memory/leases';
import { MemoryStore, type Past } from '../../src/io/memory/store';
import { FakeClock, silentLogger } from '../support/fakes';
import { AgentNode, type AgentNodeOptions } from './agent-node';
import { unfinished } from '../checker/convergence';
import { type Decision, drawn, perform } from './decisions';
import { type Dice, Seeds } from './dice';
import { Excused } from './excused';
import type { Stage } from './faults/fault';
import { History } from '../checker/history';
import type { HostRules } from '../checker/host-rules';
import type { ContainerObserver } from './host';
import { Judges } from './judges';
import type { MasterDoor } from './link';
import type { RolloutRules } from '../checker/rollout-rules';
import { type Cluster, SimServer } from './server';
import type { Truth } from '../checker/truth';
import type { Users } from './users';

export interface WorldOptions extends AgentNodeOptions {
  /** For tests that break something on purpose. */
  readonly newStore?: () => MemoryStore;
  /** Fake time within which everything must be as wanted once the trouble is over, milliseconds. */
  readonly calmLimitMs?: number;
  /** Instead of what the dice would decide: a run that was written down. */
  readonly decisions?: readonly Decision[];
  /** Simulated events under trouble, at least. */
  readonly steps?: number;
  /** Called in every step, after the trouble. */
  readonly sabotage?: (world: World) => void;
}

/** The trouble of one run: at least so many simulated events, and so many decisions. */
const STEPS = 1_000;
const DECISIONS = 30;
/** Longer than every retry, filter and time-out of the roles. */
const CALM_LIMIT_MS = 300_000;
/** Then nothing may move any more for so long. */
const QUIET_MS = 15_000;

/**
 * When what runs is ahead of the records, instances are taken over beyond any upgrade strategy, and instances whose runs are
 * long over are not needed any more. That no container is stopped is watched in another way.
 */
const REWOUND = new Set(['counts within the upgrade strategy', 'nothing is killed that nobody asked to kill']);

/** The whole cluster in one process: real roles on fake ports, trouble drawn from one seed. Same seed, same history. */
export class World implements Stage {
  readonly clock = new FakeClock();
  readonly history: History;
  readonly store: MemoryStore;
  readonly servers: SimServer[] = [];
  readonly agents: AgentNode[] = [];
  readonly leases: MemoryLeases;
  /** Everything that was decided so far. */
  readonly decisions: Decision[] = [];
  /** Containers that must not be asked to stop, by id, whatever the judges think. */
  readonly untouchable = new Set<string>();
  private readonly dice: Dice;
  private judges: Judges;
  private isCalm = false;

  constructor(
    seed: number,
    private readonly options: WorldOptions = {},
  ) {
    const seeds = new Seeds(seed);
    const { clock } = this;
    this.dice = seeds.dicePart();
    this.history = new History(seed, clock);
    this.store = options.newStore?.() ?? new MemoryStore();
    this.leases = new MemoryLeases(this.store, clock);
    const log = silentLogger();
    const cluster: Cluster = {
      clock,
      store: this.store,
      leases: this.leases,
      seeds,
      history: this.history,
      watching: (records) => this.judges.watching(records),
      log,
      onCommit: (committed) => this.judges.committed(committed),
    };
    const serverCount = this.dice.between(2, 3);
    for (let index = 1; index <= serverCount; index++) this.servers.push(new SimServer(`server-${index}`, cluster));
    const agentCount = this.dice.between(3, 5);
    const findMaster = (dice: Dice) => this.leadingDoor(dice);
    for (let index = 1; index <= agentCount; index++)
      this.agents.push(new AgentNode(`host-${index}`, clock, seeds, this.observer(), findMaster, log, options));
    this.judges = this.newJudges();
  }

  get truth(): Truth {
    return this.judges.truth;
  }

  get rules(): HostRules {
    return this.judges.hosts;
  }

  get rollouts(): RolloutRules {
    return this.judges.rollouts;
  }

  get users(): Users {
    return this.judges.users;
  }

  /** Trouble, then calm, then the last judgement. Throws the first violation with its history. */
  async run(): Promise<void> {
    await this.start();
    for (const decision of this.options.decisions ?? drawn(this.dice)) {
      if (this.options.decisions === undefined && this.isEnough()) break;
      await this.happen(decision);
    }
    await this.pass(3_000);
    this.calm();
    await this.converge();
    this.judges.stop();
  }

  /** Simulated events so far: timers that fired (every delivery, answer and time-out is one), faults, acts of users. */
  get events(): number {
    return this.clock.fired + this.decisions.length;
  }

  private isEnough(): boolean {
    return this.events >= (this.options.steps ?? STEPS) && this.decisions.length >= DECISIONS;
  }

  private async happen(decision: Decision): Promise<void> {
    this.decisions.push(decision);
    this.history.step = this.decisions.length;
    await this.pass(decision.waitMs);
    perform(this, decision);
    this.options.sabotage?.(this);
  }

  /** Everything comes up. */
  async start(): Promise<void> {
    await this.judges.start(this.store);
    for (const server of this.servers) server.start();
    for (const agent of this.agents) agent.start();
    await this.pass(5_000);
  }

  /** The store is as it was then, or as given. What runs now is nobody's fault: it goes on, and is judged by what comes. */
  async rewind(past: Past): Promise<void> {
    this.judges.stop();
    this.store.rewind(past);
    this.leases.forgetAll();
    this.expireLeader();
    for (const { host } of this.agents) for (const { id } of host.running()) this.untouchable.add(id);
    this.judges = this.newJudges(new Excused(this.history, this.clock, REWOUND));
    await this.judges.start(this.store);
    for (const server of this.servers) server.breakWatches();
  }

  /** The leader key of the past has its lease of the past, which nobody renews. */
  private expireLeader(): void {
    const old = this.store.peek(LEADER_KEY)?.createRevision;
    this.clock.after(LIMITS.leaderLeaseMs, () => {
      const now = this.store.peek(LEADER_KEY)?.createRevision;
      if (now !== undefined && now === old) this.store.serverCommit([{ kind: 'delete', key: LEADER_KEY }]);
    });
  }

  /** Lets time go on, then checks whatever must always hold. */
  async pass(ms: number): Promise<void> {
    await this.clock.run(ms);
    this.judges.check();
    this.history.check();
  }

  readonly later = (ms: number, run: () => void): void => {
    this.clock.after(ms, () => {
      if (!this.isCalm) run();
    });
  };

  calm(): void {
    this.history.note('calm');
    this.isCalm = true;
    for (const server of this.servers) server.calm();
    for (const agent of this.agents) agent.calm();
  }

  /** After the trouble: everything becomes as wanted within the limit, and stays so. */
  async converge(): Promise<void> {
    // The last wishes of users are still on their way: a replica whose watch is silent needs a while to notice.
    await this.pass(15_000);
    const endMs = this.clock.monotonicMs() + (this.options.calmLimitMs ?? CALM_LIMIT_MS);
    while (this.problems().length > 0 && this.clock.monotonicMs() < endMs) await this.pass(2_000);
    const problems = this.problems();
    if (problems.length > 0) this.history.violate('converged in the end', problems.join('; '));
    this.history.check();
    const before = this.picture();
    await this.pass(QUIET_MS);
    if (this.picture() !== before || this.problems().length > 0)
      this.history.violate(
        'quiet when converged',
        `${before}\nbecame\n${this.picture()}\n${this.problems().join('; ')}`,
      );
    this.history.check();
  }

  private newJudges(history = this.history): Judges {
    return new Judges(
      history,
      this.clock,
      this.agents.map(({ host }) => host),
    );
  }

  /** The judges of the day, and those who look after what must not be touched. */
  private observer(): ContainerObserver {
    return {
      started: (host, container) => this.rules.started(host, container),
      stopAsked: (host, container) => {
        if (this.untouchable.has(container.id))
          this.history.violate('what ran when the store went back goes on', `${container.taskId} on ${host.name}`);
        this.rules.stopAsked(host, container);
      },
      ended: (host, container) => this.rules.ended(host, container),
    };
  }

  /** A deposed leader that does not know yet may be found as well. Who does not answer is passed over if anybody does. */
  private leadingDoor(dice: Dice): MasterDoor | undefined {
    const doors = this.servers.flatMap(({ door }) => door ?? []);
    const awake = doors.filter(({ process }) => !process.isPaused);
    return dice.pick(awake.length > 0 ? awake : doors);
  }

  private problems(): string[] {
    const replica = this.servers[0]?.replica;
    if (replica === undefined) return ['the first server is not up'];
    const problems = unfinished(replica.records, this.rules.hosts, this.truth);
    const agents = this.agents.filter((agent) => !agent.status.startsWith('registered'));
    return [...problems, ...agents.map((agent) => `${agent.name} is ${agent.status}`)];
  }

  /** What runs where. */
  private picture(): string {
    return this.agents
      .map(
        ({ host }) =>
          `${host.name}: ${host
            .running()
            .map(({ taskId }) => taskId)
            .toSorted()
            .join(' ')}`,
      )
      .join('\n');
  }
}
