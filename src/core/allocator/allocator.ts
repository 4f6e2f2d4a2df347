import { LIMITS } from '../limits';
import { mayUse, ResourceBag, type BagEntry } from '../records/resources';
import { AgentFilters, type FilterClient } from './filters';
import { addTo, isAnyPositive, isUnreserved, ScalarColumns, takeFrom, type Quantities } from './quantities';
import { QuotaLedger, type Quota } from './quota';
import { Sorter, type Totals } from './sorter';

/** At least this much of every named scalar, e.g. `{cpus: 0.01}`. */
export type MinAllocatable = Readonly<Record<string, number>>;

export interface AllocatorOptions {
  /** Brings a list into random order, in place. */
  readonly shuffle: (items: unknown[]) => void;
  /** An offer must meet one of these; an empty list: anything goes. Mesos default: cpus 0.01 or mem 32. */
  readonly minAllocatable?: readonly MinAllocatable[];
  /** Agents with gpus are offered only to frameworks with GPU_RESOURCES. Mesos default: true. */
  readonly filterGpus?: boolean;
  /** Scalars that do not count for fairness. */
  readonly excluded?: readonly string[];
}

export interface FrameworkShape {
  readonly roles: readonly string[];
  /** Roles that want no offers for now. */
  readonly suppressedRoles?: readonly string[];
  readonly capabilities?: readonly string[];
  /** By role; replaces the allocator's own (FrameworkInfo.offer_filters). */
  readonly minAllocatable?: Readonly<Record<string, readonly MinAllocatable[]>>;
}

/** What one framework gets on one agent in one role: one offer. */
export interface Allocation {
  readonly agentId: string;
  readonly frameworkId: string;
  readonly role: string;
  readonly resources: ResourceBag;
}

interface AgentState {
  readonly id: string;
  total: ResourceBag;
  allocated: ResourceBag;
  /** total - allocated, cut at zero. */
  free: ResourceBag;
  /** Unreserved, not revocable part of `free`. */
  freeQuantities: Quantities;
  totals: Quantities;
  /** Value of `stamp` when a run last found nobody to offer its free resources to. */
  fruitlessAt: number;
  active: boolean;
  hasGpus: boolean;
  /** Nothing reserved, revocable or shared: every role sees the same. */
  isPlain: boolean;
  readonly filters: AgentFilters;
  /** Waits for the next allocate(). */
  isDirty: boolean;
  /** Waits for the next tick(). */
  isDeferred: boolean;
}

interface FrameworkState {
  readonly id: string;
  active: boolean;
  shape: FrameworkShape;
  capabilities: ReadonlySet<string>;
}

/** One framework in one role. Stays while it has something allocated, even if the framework has left the role. */
interface Client extends FilterClient {
  readonly framework: FrameworkState;
  readonly role: RoleState;
  min: readonly MinAllocatable[] | undefined;
}

interface RoleState {
  readonly path: string;
  readonly frameworks: Sorter<Client>;
}

/** What of an agent's free resources a role may use, and whether that is enough to be offered by default. */
interface View {
  /** All that was free when this was made, and the role it is for. */
  readonly free: ResourceBag;
  readonly role: string;
  readonly bag: ResourceBag;
  readonly isEnough: boolean;
}

interface Result {
  readonly agent: AgentState;
  readonly client: Client;
  resources: ResourceBag;
}

interface Run {
  /** Guarantees were served first, so one client can get two parts of one agent. */
  readonly isStaged: boolean;
  readonly staged: Map<string, Result>;
  readonly results: Result[];
  /** What guarantees still lack; undefined: nothing. */
  required: Quantities | undefined;
}

const DEFAULT_MIN: readonly MinAllocatable[] = [{ cpus: 0.01 }, { mem: 32 }];

/**
 * Decides who is offered what: Mesos' hierarchical DRF allocator, without clock and chance of its own. It only looks at agents
 * that changed since the last run. Mesos waits for its interval in places where this acts at once: resources that come back
 * make their agent a candidate again. Not here yet: offer constraints, maintenance, oversubscription estimates.
 */
export class HierarchicalAllocator {
  private readonly columns = new ScalarColumns();
  private readonly totals: Totals = { quantities: [0, 0, 0, 0], version: 0 };
  private readonly agents = new Map<string, AgentState>();
  private readonly frameworks = new Map<string, FrameworkState>();
  private readonly roles: Sorter<RoleState>;
  private readonly roleByPath = new Map<string, RoleState>();
  private readonly weights = new Map<string, number>();
  private readonly ledger = new QuotaLedger(this.columns);
  private readonly clientByKey = new Map<string, Client>();
  /** By Client.index; undefined: free to be used again. */
  private readonly indexes: (Client | undefined)[] = [];
  private readonly excluded: ReadonlySet<number>;
  private readonly min: readonly MinAllocatable[];
  private readonly filterGpus: boolean;
  private dirty: AgentState[] = [];
  private deferred: AgentState[] = [];
  private overridesMin = false;
  /** Rises when some client may now want what it did not want before. */
  private stamp = 0;

  constructor(private readonly options: AllocatorOptions) {
    this.min = options.minAllocatable ?? DEFAULT_MIN;
    this.filterGpus = options.filterGpus ?? true;
    this.excluded = new Set((options.excluded ?? []).map((name) => this.columns.of(name)));
    this.roles = new Sorter<RoleState>(this.totals, (path) => this.weights.get(path) ?? 1, this.excluded);
  }

  /** An agent with what already runs on it. It becomes a candidate at once. */
  addAgent(
    id: string,
    total: ResourceBag,
    used: readonly { readonly frameworkId: string; readonly role: string; readonly resources: ResourceBag }[] = [],
  ): void {
    if (this.agents.has(id)) throw new Error(`agent ${id} is already in the allocator`);
    const agent: AgentState = {
      id,
      total: ResourceBag.empty,
      allocated: ResourceBag.empty,
      free: ResourceBag.empty,
      freeQuantities: [],
      totals: [],
      fruitlessAt: -1,
      active: true,
      hasGpus: false,
      isPlain: true,
      filters: new AgentFilters(),
      isDirty: false,
      isDeferred: false,
    };
    this.agents.set(id, agent);
    this.setTotal(agent, total);
    for (const part of used) this.addAllocated(id, part.frameworkId, part.role, part.resources);
    this.touch(agent);
  }

  hasAgent(id: string): boolean {
    return this.agents.has(id);
  }

  /** The agent's resources have changed; allocations stay, even if they are more than there is now. */
  updateAgent(id: string, total: ResourceBag): void {
    const agent = this.agents.get(id);
    if (agent === undefined) return;
    this.setTotal(agent, total);
    this.touch(agent);
  }

  /** Forgets the agent. The caller has taken back (recover) every allocation on it. */
  removeAgent(id: string): void {
    const agent = this.agents.get(id);
    if (agent === undefined) return;
    this.setTotal(agent, ResourceBag.empty);
    this.agents.delete(id);
    agent.active = false;
  }

  /** Inactive agents are not offered; their resources still count for shares. */
  setAgentActive(id: string, active: boolean): void {
    const agent = this.agents.get(id);
    if (agent === undefined || agent.active === active) return;
    agent.active = active;
    if (active) this.touch(agent);
  }

  /** Adds a framework or brings it up to date (roles, suppression, capabilities), and makes it active. */
  setFramework(id: string, shape: FrameworkShape): void {
    const framework = this.framework(id);
    framework.shape = shape;
    framework.capabilities = new Set(shape.capabilities ?? []);
    framework.active = true;
    for (const role of shape.roles) this.client(framework, role).min = shape.minAllocatable?.[role];
    this.overridesMin = this.indexes.some((client) => client?.min !== undefined);
    this.activate(framework);
    this.touchAll();
  }

  /** Disconnected: no offers, and its filters are void. What runs stays allocated. */
  deactivateFramework(id: string): void {
    const framework = this.frameworks.get(id);
    if (framework === undefined) return;
    framework.active = false;
    this.clearFilters(this.clientsOf(framework));
    this.activate(framework);
  }

  /** Forgets the framework; its clients go when the last of their allocations is taken back. */
  removeFramework(id: string): void {
    const framework = this.frameworks.get(id);
    if (framework === undefined) return;
    this.deactivateFramework(id);
    framework.shape = { roles: [] };
    for (const client of this.clientsOf(framework)) this.dropIfIdle(client);
  }

  /** The roles (all, without) want offers again: filters are void, suppression ends. */
  revive(frameworkId: string, roles?: readonly string[]): void {
    const framework = this.frameworks.get(frameworkId);
    if (framework === undefined) return;
    const suppressed = framework.shape.suppressedRoles ?? [];
    const stays = roles === undefined ? [] : suppressed.filter((role) => !roles.includes(role));
    framework.shape = { ...framework.shape, suppressedRoles: stays };
    this.clearFilters(this.clientsOf(framework).filter((client) => roles?.includes(client.role.path) ?? true));
    this.activate(framework);
    this.touchAll();
  }

  /** The roles (all, without) want no offers until revived. */
  suppress(frameworkId: string, roles?: readonly string[]): void {
    const framework = this.frameworks.get(frameworkId);
    if (framework === undefined) return;
    const more = roles ?? framework.shape.roles;
    const suppressedRoles = [...new Set([...(framework.shape.suppressedRoles ?? []), ...more])];
    framework.shape = { ...framework.shape, suppressedRoles };
    this.activate(framework);
  }

  setWeight(role: string, weight: number): void {
    this.weights.set(role, weight);
    this.roles.weightsChanged();
  }

  /** Only top-level roles can have quota; undefined takes it away. All agents become candidates. */
  setQuota(role: string, quota: Quota | undefined): void {
    this.ledger.set(role, quota);
    this.touchAll();
  }

  /** Something is in use that no offer was made for (a task of before). */
  addAllocated(agentId: string, frameworkId: string, role: string, resources: ResourceBag): void {
    const agent = this.agents.get(agentId);
    if (agent === undefined) return;
    const client = this.client(this.framework(frameworkId), role);
    agent.allocated = agent.allocated.plus(resources);
    this.setFree(agent, agent.total.minus(agent.allocated));
    this.account(client, resources);
  }

  /**
   * Resources come back: from a declined offer, what an accept left over, or an ended task. The agent is a candidate for the
   * next run (`later`: for the next tick, so that a framework that declines without filter is not asked in a tight loop).
   */
  recover(
    frameworkId: string,
    role: string,
    agentId: string,
    resources: ResourceBag,
    when: 'now' | 'later' = 'now',
  ): void {
    const agent = this.agents.get(agentId);
    const client = this.existingClient(frameworkId, role);
    if (agent === undefined || resources.isEmpty) return;
    agent.allocated = agent.allocated.minus(resources);
    this.setFree(agent, agent.allocated.isEmpty ? agent.total : agent.total.minus(agent.allocated));
    if (client !== undefined) this.discount(client, resources);
    if (when === 'now') this.touch(agent);
    else this.defer(agent);
    if (client !== undefined) this.dropIfIdle(client);
  }

  /** Hides from the framework in this role on this agent whatever is contained in `refused`, until the given time. */
  refuse(frameworkId: string, role: string, agentId: string, refused: ResourceBag, untilMs: number): void {
    const agent = this.agents.get(agentId);
    const client = this.existingClient(frameworkId, role);
    if (agent !== undefined && client !== undefined) agent.filters.add(client, refused, untilMs);
  }

  /** Once per allocation interval: agents whose filters have ended, and deferred ones, become candidates. True if any. */
  tick(nowMs: number): boolean {
    for (const agent of this.deferred) {
      agent.isDeferred = false;
      this.touch(agent);
    }
    this.deferred = [];
    for (const agent of this.agents.values()) {
      if (agent.filters.nextExpiryMs > nowMs) continue;
      agent.filters.expire(nowMs);
      agent.fruitlessAt = -1;
      this.touch(agent);
    }
    return this.dirty.length > 0;
  }

  /** Every agent is looked at in the next run. */
  touchAll(): void {
    for (const agent of this.agents.values()) this.touch(agent);
  }

  get hasCandidates(): boolean {
    return this.dirty.length > 0;
  }

  /** One run over the candidates. What is returned counts as allocated from now on. */
  allocate(): Allocation[] {
    const candidates = this.dirty.filter((agent) => agent.active && !agent.free.isEmpty);
    for (const agent of this.dirty) agent.isDirty = false;
    this.dirty = [];
    const run: Run = {
      isStaged: this.ledger.hasGuarantees,
      staged: new Map(),
      results: [],
      required: this.ledger.requiredHeadroom(),
    };
    if (run.isStaged) {
      this.options.shuffle(candidates);
      for (const agent of candidates) this.satisfyGuarantees(agent, run);
    }
    this.options.shuffle(candidates);
    for (const agent of candidates) this.offerToAll(agent, run);
    return run.results.map(({ agent, client, resources }) => ({
      agentId: agent.id,
      frameworkId: client.framework.id,
      role: client.role.path,
      resources,
    }));
  }

  /** Totals and allocations by role, in Mesos units, for metrics and /roles. */
  roleUsage(): { role: string; share: number; allocated: Record<string, number> }[] {
    return [...this.roleByPath.values()].map((role) => ({
      role: role.path,
      share: this.roles.shareOf(role.path),
      allocated: this.named(this.roles.allocationOf(role.path)),
    }));
  }

  capacity(): Record<string, number> {
    return this.named(this.totals.quantities);
  }

  /** Scalars of all agents by the role they are reserved for, `*` for what anybody may use. Looks at every agent. */
  capacityByRole(): Map<string, Record<string, number>> {
    const sums = new Map<string, Quantities>();
    for (const agent of this.agents.values()) {
      for (const { name, role = '*', type, amount } of agent.total.entries()) {
        if (type !== 'SCALAR') continue;
        const sum = sums.get(role) ?? [];
        const column = this.columns.of(name);
        sum[column] = (sum[column] ?? 0) + amount;
        sums.set(role, sum);
      }
    }
    return new Map([...sums].map(([role, sum]) => [role, this.named(sum)]));
  }

  /** Free resources of an agent. */
  freeOf(agentId: string): ResourceBag {
    return this.agents.get(agentId)?.free ?? ResourceBag.empty;
  }

  filterCount(): number {
    let count = 0;
    for (const agent of this.agents.values()) count += agent.filters.count();
    return count;
  }

  private satisfyGuarantees(agent: AgentState, run: Run): void {
    for (const role of this.roles.sorted()) {
      if (this.ledger.unsatisfied(role.path) === undefined) continue;
      for (const client of role.frameworks.sorted()) {
        if (agent.free.isEmpty) return;
        const unsatisfied = this.ledger.unsatisfied(role.path);
        if (unsatisfied === undefined) break;
        const offer = this.guaranteedOffer(agent, client, unsatisfied, run);
        if (offer !== undefined) this.give(agent, client, offer, run);
      }
    }
  }

  /** Mesos' first stage: what the guarantee lacks, the role's reservations, and as much more as quota and headroom allow. */
  private guaranteedOffer(
    agent: AgentState,
    client: Client,
    unsatisfied: Quantities,
    run: Run,
  ): ResourceBag | undefined {
    const usable = this.usable(agent, client, this.view(agent, client.role.path, undefined));
    if (usable === undefined) return undefined;
    const unreserved = this.columns.quantitiesOf(usable, isUnreserved);
    const guaranteed = unreserved.map((amount, column) => Math.min(amount, unsatisfied[column] ?? 0));
    if (!isAnyPositive(guaranteed)) return undefined;
    const offer = this.shrink(usable, (column) => {
      const own = guaranteed[column] ?? 0;
      const limit = this.ledger.leftOf(client.role.path, column) - own;
      return own + Math.max(0, Math.min(this.spare(run, column), limit));
    });
    return this.isOfferable(agent, client, offer) ? offer : undefined;
  }

  private offerToAll(agent: AgentState, run: Run): void {
    if (agent.fruitlessAt === this.stamp && !this.ledger.hasAny) return;
    if (agent.isPlain && !this.overridesMin && !isEnough(agent.free, this.min)) return;
    const taker = this.firstTaker(agent, run);
    if (taker === undefined) agent.fruitlessAt = this.stamp;
    else if (taker.offer === agent.free) this.give(agent, taker.client, taker.offer, run);
    else this.offerParts(agent, run);
  }

  /** Whoever is first to get something, nearly always the whole agent. Makes no lists: this is the hot path. */
  private firstTaker(agent: AgentState, run: Run): { client: Client; offer: ResourceBag } | undefined {
    let view: View | undefined;
    let found: { client: Client; offer: ResourceBag } | undefined;
    this.roles.walk((role) => {
      const own = (view = this.view(agent, role.path, view));
      if (own.bag.isEmpty) return false;
      return role.frameworks.walk((client) => {
        if (agent.filters.isHeld(client)) return false;
        const offer = this.ordinaryOffer(agent, client, own, run);
        if (offer !== undefined) found = { client, offer };
        return offer !== undefined;
      });
    });
    return found;
  }

  /** The agent goes to several. The order is that of the moment before the first of them got something (Mesos). */
  private offerParts(agent: AgentState, run: Run): void {
    let view: View | undefined;
    for (const role of this.roles.sorted()) {
      for (const client of role.frameworks.sorted()) {
        if (agent.free.isEmpty) return;
        view = this.view(agent, role.path, view);
        if (view.bag.isEmpty) break;
        const offer = this.ordinaryOffer(agent, client, view, run);
        if (offer !== undefined) this.give(agent, client, offer, run);
      }
    }
  }

  /** Mesos' second stage: everything the role may use, unreserved scalars cut to its limit and to the headroom. */
  private ordinaryOffer(agent: AgentState, client: Client, view: View, run: Run): ResourceBag | undefined {
    const usable = this.usable(agent, client, view);
    if (usable === undefined) return undefined;
    const isCut = run.required !== undefined || this.ledger.hasLimit(client.role.path);
    if (!isCut) return agent.filters.hides(client, usable, usable === view.bag) ? undefined : usable;
    const offer = this.shrink(usable, (column) =>
      Math.min(this.ledger.leftOf(client.role.path, column), this.spare(run, column)),
    );
    return this.isOfferable(agent, client, offer) ? offer : undefined;
  }

  /** Lowers the unreserved scalars so that each column stays within its capacity. Whole disks are taken whole or not. */
  private shrink(bag: ResourceBag, capacityOf: (column: number) => number): ResourceBag {
    const left: Quantities = [];
    return bag.cutScalars((entry) => {
      if (!isUnreserved(entry)) return entry.amount;
      const column = this.columns.of(entry.name);
      const capacity = left[column] ?? capacityOf(column);
      const taken = capacity >= entry.amount ? entry.amount : isIndivisible(entry) ? 0 : capacity;
      left[column] = capacity - taken;
      return taken;
    });
  }

  /** Headroom beyond what the guarantees need, in thousandths. */
  private spare(run: Run, column: number): number {
    if (run.required === undefined) return Number.POSITIVE_INFINITY;
    return Math.max(0, (this.ledger.free[column] ?? 0) - (run.required[column] ?? 0));
  }

  /** What the role may use of what is free now. `last` is used again if it still says so. */
  private view(agent: AgentState, role: string, last: View | undefined): View {
    if (last?.free === agent.free && (agent.isPlain || last.role === role)) return last;
    const bag = agent.isPlain ? agent.free : agent.free.filter((entry) => mayUse(role, entry.role));
    return { free: agent.free, role, bag, isEnough: isEnough(bag, this.min) };
  }

  /** What of the view this framework can take; undefined: too little, or not for it. */
  private usable(agent: AgentState, client: Client, view: View): ResourceBag | undefined {
    if (client.min === undefined ? !view.isEnough : !isEnough(view.bag, client.min)) return undefined;
    const { capabilities } = client.framework;
    if (this.filterGpus && agent.hasGpus && !capabilities.has('GPU_RESOURCES')) return undefined;
    if (agent.isPlain) return view.bag;
    const usable = view.bag.filter(
      (entry) =>
        (!entry.revocable || capabilities.has('REVOCABLE_RESOURCES')) &&
        (!entry.shared || capabilities.has('SHARED_RESOURCES')) &&
        (!isRefined(entry) || capabilities.has('RESERVATION_REFINEMENT')),
    );
    return isEnough(usable, client.min ?? this.min) ? usable : undefined;
  }

  private isOfferable(agent: AgentState, client: Client, offer: ResourceBag): boolean {
    return isEnough(offer, client.min ?? this.min) && !agent.filters.hides(client, offer, false);
  }

  private give(agent: AgentState, client: Client, resources: ResourceBag, run: Run): void {
    agent.allocated = agent.allocated.plus(resources);
    this.setFree(agent, resources === agent.free ? ResourceBag.empty : agent.free.minus(resources));
    this.account(client, resources);
    if (run.required !== undefined) run.required = this.ledger.requiredHeadroom();
    const result = { agent, client, resources };
    if (!run.isStaged) return void run.results.push(result);
    const key = `${agent.id} ${client.index}`;
    const earlier = run.staged.get(key);
    if (earlier !== undefined) return void (earlier.resources = earlier.resources.plus(resources));
    run.staged.set(key, result);
    run.results.push(result);
  }

  private account(client: Client, resources: ResourceBag): void {
    const quantities = this.columns.quantitiesOf(resources);
    this.roles.allocated(client.role.path, quantities);
    client.role.frameworks.allocated(client.framework.id, quantities);
    this.ledger.allocated(client.role.path, this.unreservedOf(resources, quantities));
  }

  private discount(client: Client, resources: ResourceBag): void {
    const quantities = this.columns.quantitiesOf(resources);
    this.roles.unallocated(client.role.path, quantities);
    client.role.frameworks.unallocated(client.framework.id, quantities);
    this.ledger.unallocated(client.role.path, this.unreservedOf(resources, quantities));
  }

  private unreservedOf(resources: ResourceBag, all: Quantities): Quantities {
    return resources.entries().every(isUnreserved) ? all : this.columns.quantitiesOf(resources, isUnreserved);
  }

  private setFree(agent: AgentState, free: ResourceBag): void {
    const quantities = free.isEmpty ? [] : this.columns.quantitiesOf(free, agent.isPlain ? undefined : isUnreserved);
    this.ledger.freeChanged(agent.freeQuantities, quantities);
    agent.free = free;
    agent.freeQuantities = quantities;
    agent.fruitlessAt = -1;
    agent.filters.freeChanged();
  }

  private setTotal(agent: AgentState, total: ResourceBag): void {
    takeFrom(this.totals.quantities, agent.totals);
    this.ledger.addReservations(agent.total, -1);
    agent.total = total;
    agent.totals = this.columns.quantitiesOf(total);
    addTo(this.totals.quantities, agent.totals);
    this.totals.version += 1;
    this.ledger.addReservations(total, 1);
    agent.hasGpus = total.scalar('gpus') > 0;
    agent.isPlain = !total.entries().some((entry) => entry.role !== undefined || entry.revocable || entry.shared);
    this.setFree(agent, agent.allocated.isEmpty ? total : total.minus(agent.allocated));
  }

  private touch(agent: AgentState): void {
    if (agent.isDirty) return;
    agent.isDirty = true;
    this.dirty.push(agent);
  }

  private defer(agent: AgentState): void {
    if (agent.isDeferred) return;
    agent.isDeferred = true;
    this.deferred.push(agent);
  }

  private clearFilters(clients: readonly Client[]): void {
    this.stamp += 1;
    for (const client of clients) client.epoch += 1;
    for (const agent of this.agents.values()) for (const client of clients) agent.filters.forget(client);
  }

  private activate(framework: FrameworkState): void {
    this.stamp += 1;
    const { roles, suppressedRoles = [] } = framework.shape;
    for (const client of this.clientsOf(framework)) {
      const path = client.role.path;
      const active = framework.active && roles.includes(path) && !suppressedRoles.includes(path);
      client.role.frameworks.setActive(framework.id, active);
    }
    for (const client of this.clientsOf(framework)) if (!roles.includes(client.role.path)) this.dropIfIdle(client);
  }

  private framework(id: string): FrameworkState {
    let framework = this.frameworks.get(id);
    if (framework === undefined) {
      framework = { id, active: false, shape: { roles: [] }, capabilities: new Set() };
      this.frameworks.set(id, framework);
    }
    return framework;
  }

  private clientsOf(framework: FrameworkState): Client[] {
    return this.indexes.filter((client) => client !== undefined).filter((client) => client.framework === framework);
  }

  private existingClient(frameworkId: string, role: string): Client | undefined {
    return this.clientByKey.get(`${frameworkId} ${role}`);
  }

  private client(framework: FrameworkState, role: string): Client {
    const present = this.existingClient(framework.id, role);
    if (present !== undefined) return present;
    let state = this.roleByPath.get(role);
    if (state === undefined) {
      state = { path: role, frameworks: new Sorter<Client>(this.totals, undefined, this.excluded) };
      this.roleByPath.set(role, state);
      this.roles.add(role, state);
      this.roles.setActive(role, true);
    }
    const vacant = this.indexes.indexOf(undefined);
    const index = vacant === -1 ? this.indexes.length : vacant;
    const client: Client = { framework, role: state, index, epoch: 0, min: undefined };
    this.indexes[index] = client;
    this.clientByKey.set(`${framework.id} ${role}`, client);
    state.frameworks.add(framework.id, client);
    return client;
  }

  /** A client that the framework no longer wants and that has nothing any more is forgotten, and so is its empty role. */
  private dropIfIdle(client: Client): void {
    const { framework, role } = client;
    if (framework.shape.roles.includes(role.path)) return;
    if (role.frameworks.allocationOf(framework.id).some((amount) => amount > 0)) return;
    this.clearFilters([client]);
    role.frameworks.remove(framework.id);
    this.clientByKey.delete(`${framework.id} ${role.path}`);
    this.indexes[client.index] = undefined;
    if (role.frameworks.size === 0) {
      this.roles.remove(role.path);
      this.roleByPath.delete(role.path);
    }
    if (!framework.active && this.clientsOf(framework).length === 0) this.frameworks.delete(framework.id);
  }

  private named(quantities: Quantities): Record<string, number> {
    const named: Record<string, number> = {};
    for (const name of this.columns.names()) named[name] = (quantities[this.columns.of(name)] ?? 0) / 1000;
    return named;
  }
}

/** How long a refusal hides, in milliseconds: Mesos' rules for `refuse_seconds` (default 5, negative: 5, 0: not at all). */
export function refuseMs(refuseSeconds: number | undefined, allocationIntervalMs: number): number {
  const seconds = refuseSeconds === undefined || refuseSeconds < 0 || Number.isNaN(refuseSeconds) ? 5 : refuseSeconds;
  if (seconds === 0) return 0;
  return Math.max(Math.min(seconds, LIMITS.refuseSecondsMax) * 1000, allocationIntervalMs);
}

function isEnough(bag: ResourceBag, min: readonly MinAllocatable[]): boolean {
  if (bag.isEmpty) return false;
  if (min.length === 0) return true;
  for (const all of min) {
    let holds = true;
    for (const name in all) if (bag.scalar(name) < Math.round((all[name] ?? 0) * 1000)) holds = false;
    if (holds) return true;
  }
  return false;
}

function isRefined(entry: BagEntry): boolean {
  const stack = entry.template?.['reservations'];
  return Array.isArray(stack) && stack.length > 1;
}

/** A disk of a kind that cannot be split (Mesos: MOUNT and BLOCK). */
function isIndivisible(entry: BagEntry): boolean {
  const disk = entry.template?.['disk'];
  if (typeof disk !== 'object' || disk === null || !('source' in disk)) return false;
  const { source } = disk;
  if (typeof source !== 'object' || source === null || !('type' in source)) return false;
  return source.type === 'MOUNT' || source.type === 'BLOCK';
}
