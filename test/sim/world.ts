import { MemoryLeases } from '../../src/io/memory/leases';
import { MemoryStore } from '../../src/io/memory/store';
import { FakeClock, silentLogger } from '../support/fakes';
import { AgentNode, type AgentNodeOptions } from './agent-node';
import { unfinished } from '../checker/convergence';
import { type Decision, drawn, perform } from './decisions';
import { type Dice, Seeds } from './dice';
import type { Stage } from './faults/fault';
import { FenceRules } from '../checker/fence-rules';
import { History } from '../checker/history';
import { HostRules } from '../checker/host-rules';
import type { MasterDoor } from './link';
import { RolloutRules } from '../checker/rollout-rules';
import { SimServer } from './server';
import { Truth } from '../checker/truth';
import { Users } from './users';

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

/** The whole cluster in one process: real roles on fake ports, trouble drawn from one seed. Same seed, same history. */
export class World implements Stage {
  readonly clock = new FakeClock();
  readonly history: History;
  readonly truth: Truth;
  readonly rules: HostRules;
  readonly rollouts: RolloutRules;
  readonly users: Users;
  readonly store: MemoryStore;
  readonly servers: SimServer[] = [];
  readonly agents: AgentNode[] = [];
  readonly leases: MemoryLeases;
  /** Everything that was decided so far. */
  readonly decisions: Decision[] = [];
  private readonly dice: Dice;
  private readonly fences: FenceRules;
  private readonly end = new AbortController();
  private isCalm = false;

  constructor(
    seed: number,
    private readonly options: WorldOptions = {},
  ) {
    const seeds = new Seeds(seed);
    const { clock } = this;
    this.dice = seeds.dicePart();
    this.history = new History(seed, clock);
    this.truth = new Truth(clock, this.history);
    this.rules = new HostRules(this.truth, this.history, clock);
    this.users = new Users(this.truth, this.history);
    this.fences = new FenceRules(this.history);
    this.store = options.newStore?.() ?? new MemoryStore();
    this.leases = new MemoryLeases(this.store, clock);
    this.rollouts = new RolloutRules(this.truth, this.history, clock);
    this.truth.onLoss = (appId) => this.rollouts.lost(appId);
    const cluster = {
      clock,
      store: this.store,
      leases: this.leases,
      seeds,
      history: this.history,
      rules: this.rollouts,
      log: silentLogger(),
      onCommit: (committed: Parameters<FenceRules['committed']>[0]) => this.fences.committed(committed),
    };
    const serverCount = this.dice.between(2, 3);
    for (let index = 1; index <= serverCount; index++) this.servers.push(new SimServer(`server-${index}`, cluster));
    const agentCount = this.dice.between(3, 5);
    for (let index = 1; index <= agentCount; index++)
      this.agents.push(
        new AgentNode(
          `host-${index}`,
          clock,
          seeds,
          this.rules,
          (chance) => this.leadingDoor(chance),
          cluster.log,
          options,
        ),
      );
    this.rules.hosts.push(...this.agents.map(({ host }) => host));
  }

  /** Trouble, then calm, then the last judgement. Throws the first violation with its history. */
  async run(): Promise<void> {
    this.start();
    await this.pass(5_000);
    for (const decision of this.options.decisions ?? drawn(this.dice)) {
      if (this.options.decisions === undefined && this.isEnough()) break;
      await this.happen(decision);
    }
    await this.pass(3_000);
    this.calm();
    await this.converge();
    this.end.abort();
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

  start(): void {
    void this.truth.follow(this.store, this.end.signal);
    for (const server of this.servers) server.start();
    for (const agent of this.agents) agent.start();
  }

  /** Lets time go on, then checks whatever must always hold. */
  async pass(ms: number): Promise<void> {
    await this.clock.run(ms);
    this.users.check();
    this.fences.check();
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
    // The last wishes of users are still on their way.
    await this.pass(5_000);
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
