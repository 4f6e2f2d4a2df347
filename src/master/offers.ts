import type { Allocation, HierarchicalAllocator } from '../core/allocator/allocator';
import type { Timer } from '../core/ports/clock';
import type { Histogram } from '../core/ports/metrics';
import type { Offer } from '../core/records/mesos';
import type { ResourceBag } from '../core/records/resources';
import type { AgentEntry, AgentTable } from './agents';
import type { MasterContext } from './context';
import { hasCapability, type FrameworkTable } from './frameworks';
import type { OfferGate } from './offer-gate';

/** An offer that is out and not answered. Its resources are taken in the allocator. */
export interface OpenOffer {
  readonly id: string;
  readonly agentId: string;
  readonly frameworkId: string;
  readonly role: string;
  readonly resources: ResourceBag;
  /** Monotonic. */
  readonly expiresMs: number;
}

/** Runs the allocator when something has changed, sends what it decides, and takes offers back. */
export class OfferBook {
  /** In the order they were made, which is the order they expire in. */
  private readonly open = new Map<string, OpenOffer>();
  private readonly byAgent = new Map<string, Set<OpenOffer>>();
  private timer: Timer | undefined;
  private count = 0;
  private readonly duration: Histogram;

  constructor(
    private readonly context: MasterContext,
    private readonly allocator: HierarchicalAllocator,
    private readonly agents: AgentTable,
    private readonly frameworks: FrameworkTable,
    private readonly gate: OfferGate,
  ) {
    this.duration = context.metrics.histogram({
      name: 'berth_allocation_duration_seconds',
      help: 'Time of one run of the allocator.',
      buckets: [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 2.5],
    });
  }

  get size(): number {
    return this.open.size;
  }

  /** Lets the allocator run soon; changes of the next moment are gathered. */
  request(): void {
    if (this.timer !== undefined || !this.gate.isOpen || !this.allocator.hasCandidates) return;
    this.timer = this.context.clock.after(this.context.options.allocationDelayMs, () => {
      this.timer = undefined;
      this.run();
    });
  }

  stop(): void {
    this.timer?.cancel();
    this.open.clear();
    this.byAgent.clear();
  }

  /** Removes and returns an offer, if it is open and was made to this framework. */
  take(frameworkId: string, offerId: string): OpenOffer | undefined {
    const offer = this.open.get(offerId);
    if (offer?.frameworkId !== frameworkId) return undefined;
    this.forget(offer);
    return offer;
  }

  /** Gives the resources back to the allocator. */
  recover(offer: OpenOffer, resources: ResourceBag = offer.resources, when: 'now' | 'later' = 'now'): void {
    this.allocator.recover(offer.frameworkId, offer.role, offer.agentId, resources, when);
  }

  /** Takes back what is offered of an agent. */
  rescindAgent(agentId: string): void {
    for (const offer of [...(this.byAgent.get(agentId) ?? [])]) this.rescind(offer);
  }

  /** Takes back what a framework has been offered. */
  rescindFramework(frameworkId: string): void {
    for (const offer of [...this.open.values()]) if (offer.frameworkId === frameworkId) this.rescind(offer);
  }

  /** Takes back what has been offered in a role and below it: its quota has changed. */
  rescindRole(role: string): void {
    for (const offer of [...this.open.values()])
      if (offer.role === role || offer.role.startsWith(`${role}/`)) this.rescind(offer);
  }

  /** Takes back what nobody has answered in time. */
  expire(nowMs: number): void {
    for (const offer of this.open.values()) {
      if (offer.expiresMs > nowMs) return;
      this.context.log.debug('offer not answered in time', { offerId: offer.id, frameworkId: offer.frameworkId });
      this.rescind(offer);
    }
  }

  private rescind(offer: OpenOffer): void {
    this.forget(offer);
    this.recover(offer);
    this.frameworks.send(offer.frameworkId, { type: 'RESCIND', rescind: { offer_id: { value: offer.id } } });
  }

  private forget(offer: OpenOffer): void {
    this.open.delete(offer.id);
    const ofAgent = this.byAgent.get(offer.agentId);
    ofAgent?.delete(offer);
    if (ofAgent?.size === 0) this.byAgent.delete(offer.agentId);
  }

  private run(): void {
    if (this.context.term.signal.aborted) return;
    const startMs = this.context.clock.monotonicMs();
    const allocations = this.allocator.allocate();
    this.duration.observe((this.context.clock.monotonicMs() - startMs) / 1000);
    const byFramework = new Map<string, Offer[]>();
    const expiresMs = startMs + this.context.options.offerTimeoutMs;
    for (const allocation of allocations) {
      const offer = this.offer(allocation, expiresMs);
      if (offer === undefined) continue;
      const offers = byFramework.get(allocation.frameworkId);
      if (offers === undefined) byFramework.set(allocation.frameworkId, [offer]);
      else offers.push(offer);
    }
    for (const [frameworkId, offers] of byFramework)
      this.frameworks.send(frameworkId, { type: 'OFFERS', offers: { offers } });
  }

  private offer(allocation: Allocation, expiresMs: number): Offer | undefined {
    const { agentId, frameworkId, role, resources } = allocation;
    const agent = this.agents.get(agentId);
    const framework = this.frameworks.get(frameworkId);
    if (agent === undefined || framework?.connection === undefined) {
      this.allocator.recover(frameworkId, role, agentId, resources, 'later');
      return undefined;
    }
    const id = `${this.context.masterId}-O${this.count++}`;
    const open: OpenOffer = { id, agentId, frameworkId, role, resources, expiresMs };
    this.open.set(id, open);
    const ofAgent = this.byAgent.get(agentId);
    if (ofAgent === undefined) this.byAgent.set(agentId, new Set([open]));
    else ofAgent.add(open);
    const isMultiRole = hasCapability(framework.record.spec.info, 'MULTI_ROLE');
    return offerOf(open, agent, isMultiRole);
  }
}

/** The offer as the framework sees it (Mesos: allocation_info per resource only with MULTI_ROLE). */
function offerOf(open: OpenOffer, agent: AgentEntry, isMultiRole: boolean): Offer {
  const { hostname, port, attributes, region, zone } = agent.info;
  const domain = { fault_domain: { region: { name: region }, zone: { name: zone } } };
  return {
    id: { value: open.id },
    framework_id: { value: open.frameworkId },
    agent_id: { value: open.agentId },
    hostname,
    url: { scheme: 'http', address: { hostname, port }, path: '/slave(1)' },
    ...(region === undefined || zone === undefined ? {} : { domain }),
    resources: open.resources.toResources(isMultiRole ? open.role : undefined),
    attributes,
    executor_ids: [],
    allocation_info: { role: open.role },
  };
}
