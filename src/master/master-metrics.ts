import type { HierarchicalAllocator } from '../core/allocator/allocator';
import type { Gauge } from '../core/ports/metrics';
import { baseAmount } from '../core/records/resources';
import type { AgentTable } from './agents';
import type { MasterContext } from './context';
import type { FrameworkTable } from './frameworks';
import type { OfferBook } from './offers';
import type { TaskTable } from './task-table';

const AGENT_STATES = ['recovered', 'registering', 'connected', 'disconnected', 'unreachable', 'gone'] as const;
const FRAMEWORK_STATES = ['active', 'disconnected', 'completed'] as const;
const UNITS = 'CPUs, bytes of memory and disk, or as their name says.';

/**
 * Gauges of the whole cluster, counted when somebody looks. Only the leader shows them, and after `stop` it shows nothing:
 * the sum over all replicas is right at any time.
 */
export class MasterMetrics {
  private readonly gauges;
  private readonly uncollect: () => void;

  constructor(
    private readonly context: MasterContext,
    private readonly tasks: TaskTable,
    private readonly agents: AgentTable,
    private readonly frameworks: FrameworkTable,
    private readonly offers: OfferBook,
    private readonly allocator: HierarchicalAllocator,
  ) {
    this.gauges = gaugesOf((name, help, ...labels) => context.metrics.gauge({ name, help, labels }));
    this.uncollect = context.metrics.onCollect(() => this.collect());
  }

  stop(): void {
    this.uncollect();
    for (const gauge of Object.values(this.gauges)) gauge.reset();
  }

  private collect(): void {
    this.collectCounts();
    this.collectResources();
    this.collectRoles();
  }

  private collectCounts(): void {
    const { agents, tasks, frameworks, offers, filters } = this.gauges;
    const entries = [...this.agents.all()];
    for (const state of AGENT_STATES) agents.set(entries.filter((entry) => entry.state === state).length, { state });
    tasks.reset();
    for (const [state, count] of this.tasks.countByState()) tasks.set(count, { state });
    const known = [...this.frameworks.all()];
    for (const state of FRAMEWORK_STATES)
      frameworks.set(known.filter((entry) => entry.record.status.state === state).length, { state });
    offers.set(this.offers.size);
    filters.set(this.allocator.filterCount());
  }

  private collectResources(): void {
    const { capacity, allocated, share } = this.gauges;
    for (const gauge of [capacity, allocated, share]) gauge.reset();
    for (const [role, amounts] of this.allocator.capacityByRole()) show(capacity, role, amounts);
    for (const usage of this.allocator.roleUsage()) {
      share.set(usage.share, { role: usage.role });
      show(allocated, usage.role, usage.allocated);
    }
  }

  private collectRoles(): void {
    const { weight, guarantee, limit } = this.gauges;
    for (const gauge of [weight, guarantee, limit]) gauge.reset();
    for (const { record } of this.context.records.collection('Role').list()) {
      const { name: role, quota } = record.spec;
      weight.set(record.spec.weight, { role });
      show(guarantee, role, quota?.guarantees ?? {});
      show(limit, role, quota?.limits ?? {});
    }
  }
}

function gaugesOf(gauge: (name: string, help: string, ...labels: string[]) => Gauge) {
  return {
    agents: gauge('berth_agents', 'Agents known to the leading master.', 'state'),
    tasks: gauge('berth_tasks', 'Tasks on record.', 'state'),
    frameworks: gauge('berth_frameworks', 'Frameworks known to the leading master.', 'state'),
    offers: gauge('berth_offers_outstanding', 'Offers that are out and not answered.'),
    filters: gauge('berth_decline_filters', 'Decline filters in force.'),
    capacity: gauge(
      'berth_resources_capacity',
      `Resources of all agents by the role they are reserved for (*: anybody's). ${UNITS}`,
      'role',
      'resource',
    ),
    allocated: gauge(
      'berth_resources_allocated',
      `Resources offered to a role or in use. ${UNITS}`,
      'role',
      'resource',
    ),
    share: gauge('berth_role_dominant_share', 'Dominant share of a role divided by its weight.', 'role'),
    weight: gauge('berth_role_weight', 'Weight of a role that has a record; others have 1.', 'role'),
    guarantee: gauge('berth_role_quota_guarantee', `What quota guarantees a role. ${UNITS}`, 'role', 'resource'),
    limit: gauge('berth_role_quota_limit', `What quota allows a role at most. ${UNITS}`, 'role', 'resource'),
    // Set by Liveness; shown here only so that it ends with the term.
    brake: gauge('berth_agents_brake', '1 while so many agents are silent that nobody is declared unreachable.'),
  };
}

/** @param amounts in Mesos' units */
function show(gauge: Gauge, role: string, amounts: Readonly<Record<string, number>>): void {
  for (const [resource, amount] of Object.entries(amounts)) gauge.set(baseAmount(resource, amount), { role, resource });
}
