import type { HierarchicalAllocator } from '../core/allocator/allocator';
import type { AgentTable } from './agents';
import type { MasterContext } from './context';
import type { FrameworkTable } from './frameworks';
import type { OfferBook } from './offers';
import type { TaskTable } from './task-table';

const AGENT_STATES = ['recovered', 'registering', 'connected', 'disconnected', 'unreachable', 'gone'] as const;

/** Gauges that are counted when somebody looks. After `stop` they show nothing: another replica leads. */
export class MasterMetrics {
  private isStopped = false;
  private readonly gauges;

  constructor(
    context: MasterContext,
    private readonly tasks: TaskTable,
    private readonly agents: AgentTable,
    private readonly frameworks: FrameworkTable,
    private readonly offers: OfferBook,
    private readonly allocator: HierarchicalAllocator,
  ) {
    const gauge = (name: string, help: string, ...labels: string[]) => context.metrics.gauge({ name, help, labels });
    this.gauges = {
      agents: gauge('berth_agents', 'Agents known to the leading master.', 'state'),
      tasks: gauge('berth_tasks', 'Tasks on record.', 'state'),
      frameworks: gauge('berth_frameworks', 'Frameworks known to the leading master.', 'state'),
      offers: gauge('berth_offers_outstanding', 'Offers that are out and not answered.'),
      capacity: gauge('berth_resources_capacity', 'Resources of all agents; mem and disk in MB.', 'resource'),
      allocated: gauge(
        'berth_resources_allocated',
        'Resources offered or in use; mem and disk in MB.',
        'role',
        'resource',
      ),
      share: gauge('berth_role_dominant_share', 'Dominant share of a role divided by its weight.', 'role'),
      filters: gauge('berth_decline_filters', 'Decline filters in force.'),
    };
    context.metrics.onCollect(() => this.collect());
  }

  stop(): void {
    this.isStopped = true;
    for (const gauge of Object.values(this.gauges)) gauge.reset();
  }

  private collect(): void {
    if (this.isStopped) return;
    const { agents, tasks, frameworks, offers, capacity, allocated, share, filters } = this.gauges;
    for (const gauge of [tasks, frameworks, capacity, allocated, share]) gauge.reset();
    const entries = [...this.agents.all()];
    for (const state of AGENT_STATES) agents.set(entries.filter((entry) => entry.state === state).length, { state });
    for (const [state, count] of this.tasks.countByState()) tasks.set(count, { state });
    const known = [...this.frameworks.all()];
    for (const state of ['active', 'disconnected', 'completed'])
      frameworks.set(known.filter((entry) => entry.record.status.state === state).length, { state });
    offers.set(this.offers.size);
    filters.set(this.allocator.filterCount());
    for (const [resource, amount] of Object.entries(this.allocator.capacity())) capacity.set(amount, { resource });
    for (const usage of this.allocator.roleUsage()) {
      share.set(usage.share, { role: usage.role });
      for (const [resource, amount] of Object.entries(usage.allocated))
        allocated.set(amount, { role: usage.role, resource });
    }
  }
}
