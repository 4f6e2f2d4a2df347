import { LEADER_KEY } from '../../src/io/election/lease-election';
import { MemoryLeases } from '../../src/io/memory/leases';
import { MemoryStore } from '../../src/io/memory/store';
import { FakeClock, silentLogger } from '../support/fakes';
import { AgentNode, type AgentNodeOptions } from './agent-node';
import { unfinished } from '../checker/convergence';
import { type Dice, Seeds } from './dice';
import { FenceRules } from '../checker/fence-rules';
import { History } from '../checker/history';
import { HostRules } from '../checker/host-rules';
import type { MasterDoor } from './link';
import { RolloutRules } from '../checker/rollout-rules';
import { SimServer } from './server';
import { noTrouble } from './store-client';
import { Truth } from '../checker/truth';
import { Users } from './users';

export interface WorldOptions extends AgentNodeOptions {
  /** For tests that break something on purpose. */
  readonly newStore?: () => MemoryStore;
  /** Fake time within which everything must be as wanted once the trouble is over, milliseconds. */
  readonly calmLimitMs?: number;
  /** Called in every step, after the trouble. */
  readonly sabotage?: (world: World) => void;
}

/** SIM_STEPS makes longer runs, to look for what is rare. */
const STEPS = Number(process.env['SIM_STEPS'] ?? 30);
/** Longer than every retry, filter and time-out of the roles. */
const CALM_LIMIT_MS = 300_000;
/** Then nothing may move any more for so long. */
const QUIET_MS = 15_000;

/** The whole cluster in one process: real roles on fake ports, trouble drawn from one seed. Same seed, same history. */
export class World {
  readonly clock = new FakeClock();
  readonly history: History;
  readonly truth: Truth;
  readonly rules: HostRules;
  readonly rollouts: RolloutRules;
  readonly users: Users;
  readonly store: MemoryStore;
  readonly servers: SimServer[] = [];
  readonly agents: AgentNode[] = [];
  private readonly dice: Dice;
  private readonly fences: FenceRules;
  private readonly end = new AbortController();

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
    this.users = new Users(seeds.dicePart(), this.truth, this.history);
    this.fences = new FenceRules(this.history);
    this.store = options.newStore?.() ?? new MemoryStore();
    this.rollouts = new RolloutRules(this.truth, this.history, clock);
    this.truth.onLoss = (appId) => this.rollouts.lost(appId);
    const cluster = {
      clock,
      store: this.store,
      leases: new MemoryLeases(this.store, clock),
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
        new AgentNode(`host-${index}`, clock, seeds, this.rules, () => this.leadingDoor(), cluster.log, options),
      );
    this.rules.hosts.push(...this.agents.map(({ host }) => host));
  }

  /** Trouble, then calm, then the last judgement. Throws the first violation with its history. */
  async run(): Promise<void> {
    this.start();
    await this.pass(5_000);
    for (let step = 1; step <= STEPS; step++) {
      this.history.step = step;
      this.trouble();
      this.options.sabotage?.(this);
      await this.pass(this.dice.one(0, 50, 400, 1_500, 3_000));
    }
    this.calm();
    await this.converge();
    this.end.abort();
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

  calm(): void {
    this.history.note('calm');
    for (const server of this.servers) {
      Object.assign(server.trouble, noTrouble());
      server.start();
    }
    for (const agent of this.agents) {
      Object.assign(agent.network, { cut: false, slow: 0, loseCall: 0, loseAnswer: 0 });
      Object.assign(agent.engine, { failPull: 0, failStart: 0 });
      for (const container of agent.host.containers.values()) container.healthy = true;
      agent.start();
    }
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

  /** Some fault, or some user, as the dice want. */
  trouble(): void {
    const { dice } = this;
    const replica = dice.pick(this.servers.flatMap((server) => server.replica ?? []));
    if (replica !== undefined && dice.hit(0.5)) this.users.act(replica);
    if (dice.hit(0.5)) this.fault();
  }

  private fault(): void {
    const faults = [
      () => this.storeTrouble(),
      () => this.storeAway(),
      () => this.serverFault(),
      () => this.leaderFault(),
      () => this.agentFault(),
      () => this.agentFault(),
      () => this.networkTrouble(),
      () => this.engineTrouble(),
      () => this.containerFault(),
      () => this.containerFault(),
      () => this.clockFault(),
    ];
    this.dice.pick(faults)?.();
  }

  private storeTrouble(): void {
    const server = this.dice.pick(this.servers);
    if (server === undefined) return;
    const share = () => this.dice.one(0, 0, 0.05, 0.3);
    const trouble = {
      slow: this.dice.one(0, 0.1, 0.8),
      failBefore: share(),
      failAfter: share(),
      late: share(),
      endWatch: this.dice.one(0, 0.05),
    };
    this.history.note(`${server.name} has store trouble ${JSON.stringify(trouble)}`);
    Object.assign(server.trouble, trouble);
    this.later(() => Object.assign(server.trouble, { ...noTrouble(), away: server.trouble.away }));
  }

  private storeAway(): void {
    const servers = this.dice.hit(0.5) ? this.servers : this.servers.slice(0, 1);
    this.history.note(`${servers.map(({ name }) => name).join(', ')} cannot reach the store`);
    for (const server of servers) server.trouble.away = true;
    this.later(() => {
      this.history.note('the store is back');
      for (const server of servers) server.trouble.away = false;
    });
    if (this.dice.hit(0.3)) this.store.compact(this.store.revision());
  }

  private serverFault(): void {
    const server = this.dice.pick(this.servers);
    if (server === undefined) return;
    if (this.dice.hit(0.5)) {
      this.history.note(`${server.name} is killed`);
      server.crash();
    } else {
      this.history.note(`${server.name} is asked to end`);
      server.terminate();
    }
    this.later(() => server.start());
  }

  private leaderFault(): void {
    const leader = this.servers.find((server) => server.isLeader);
    if (leader === undefined) return;
    if (this.dice.hit(0.5)) {
      this.history.note('the leader key vanishes');
      this.store.serverCommit([{ kind: 'delete', key: LEADER_KEY }]);
    } else {
      this.history.note(`${leader.name} gives leadership up`);
      leader.abdicate();
    }
  }

  private agentFault(): void {
    const agent = this.dice.pick(this.agents);
    if (agent === undefined) return;
    const kind = this.dice.one('crash', 'crash', 'cut', 'break');
    this.history.note(`${agent.name}: agent ${kind}`);
    if (kind === 'break') return agent.breakConnection();
    if (kind === 'crash') agent.crash();
    else agent.network.cut = true;
    this.later(() => {
      this.history.note(`${agent.name}: agent back`);
      agent.network.cut = false;
      agent.start();
    });
  }

  private networkTrouble(): void {
    const agent = this.dice.pick(this.agents);
    if (agent === undefined) return;
    Object.assign(agent.network, {
      slow: this.dice.one(0, 0.3, 0.9),
      loseCall: this.dice.one(0, 0.2),
      loseAnswer: this.dice.one(0, 0.2),
    });
    this.history.note(`${agent.name}: network ${JSON.stringify(agent.network)}`);
    this.later(() => Object.assign(agent.network, { slow: 0, loseCall: 0, loseAnswer: 0 }));
  }

  private engineTrouble(): void {
    const agent = this.dice.pick(this.agents);
    if (agent === undefined) return;
    Object.assign(agent.engine, { failPull: this.dice.one(0, 0.3), failStart: this.dice.one(0, 0.5) });
    this.history.note(`${agent.name}: engine ${JSON.stringify(agent.engine)}`);
    this.later(() => Object.assign(agent.engine, { failPull: 0, failStart: 0 }));
  }

  private containerFault(): void {
    const agent = this.dice.pick(this.agents);
    const container = this.dice.pick(agent?.host.running() ?? []);
    if (agent === undefined || container === undefined) return;
    const kind = this.dice.one('exits', 'is removed', 'is unhealthy');
    this.history.note(`${agent.name}: container ${container.taskId} ${kind}`);
    if (kind === 'exits') agent.host.end(container, this.dice.one(0, 1, 139), 'ended by itself');
    if (kind === 'is removed') {
      this.rules.wasRemoved(container);
      agent.host.remove(container);
    }
    if (kind === 'is unhealthy') {
      this.rules.becameUnhealthy(container);
      container.healthy = false;
      this.later(() => (container.healthy = true));
    }
  }

  /** The wall clock of all machines is set right, as after a time server was wrong. */
  private clockFault(): void {
    const byMs = this.dice.one(-600_000, -5_000, 5_000, 60_000);
    this.history.note(`the wall clock jumps by ${byMs / 1000} s`);
    this.clock.jumpWallClock(byMs);
  }

  /** Most trouble is short, some is longer than any ping limit. */
  private later(end: () => void): void {
    this.clock.after(this.dice.one(300, 3_000, 10_000, 45_000), end);
  }

  private leadingDoor(): MasterDoor | undefined {
    // A deposed leader that does not know yet may be found as well; the newest wins, as with a real redirect.
    return this.servers.findLast((server) => server.door !== undefined)?.door;
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
