import type { Counter, Metrics } from '../core/ports/metrics';
import type { Resource, TaskState } from '../core/records/mesos';
import { baseAmount, ResourceBag } from '../core/records/resources';
import { TaskMetrics, type MeasuredTask } from './task-metrics';
import type { UsageSample } from './usage-sampler';

export interface MetricsSource {
  /** Live tasks. */
  tasks(): readonly (MeasuredTask & { readonly state: TaskState })[];
  readonly hostname: string;
  /** All that the agent offers. */
  readonly resources: readonly Resource[];
  agentId(): string | undefined;
  isRegistered(): boolean;
  pendingUpdates(): number;
  unknownContainers(): number;
  usage(): ReadonlyMap<string, UsageSample>;
}

/** The agent's gauges, counted at each scrape, and its counters. */
export class AgentMetrics {
  private readonly endings: Counter;
  private readonly setAside: Counter;

  constructor(metrics: Metrics, source: MetricsSource) {
    this.endings = metrics.counter({
      name: 'berth_agent_task_ends_total',
      help: 'Tasks that ended on this agent',
      labels: ['state', 'reason'],
    });
    this.setAside = metrics.counter({
      name: 'berth_agent_checkpoints_set_aside_total',
      help: 'Checkpoints that could not be read and were set aside',
    });
    const usage = new TaskMetrics(metrics);
    const collectors = [taskGauges(metrics, source), stateGauges(metrics, source), resourceGauges(metrics, source)];
    metrics.onCollect(() => {
      for (const collect of collectors) collect();
      usage.collect(source.tasks(), source.usage());
    });
  }

  ended(state: TaskState, reason: string | undefined): void {
    this.endings.inc({ state, reason: reason ?? '' });
  }

  checkpointsSetAside(count: number): void {
    if (count > 0) this.setAside.inc({}, count);
  }
}

function taskGauges(metrics: Metrics, source: MetricsSource): () => void {
  const tasks = metrics.gauge({ name: 'berth_agent_tasks', help: 'Live tasks by state', labels: ['state'] });
  return () => {
    const counts = new Map<string, number>([
      ['TASK_STAGING', 0],
      ['TASK_STARTING', 0],
      ['TASK_RUNNING', 0],
    ]);
    for (const { state } of source.tasks()) counts.set(state, (counts.get(state) ?? 0) + 1);
    tasks.reset();
    for (const [state, count] of counts) tasks.set(count, { state });
  };
}

function stateGauges(metrics: Metrics, source: MetricsSource): () => void {
  const registered = metrics.gauge({ name: 'berth_agent_registered', help: '1 while a master knows this agent' });
  const identity = metrics.gauge({
    name: 'berth_agent_info',
    help: 'Always 1; who this agent is.',
    labels: ['agent_id', 'hostname'],
  });
  const pending = metrics.gauge({
    name: 'berth_agent_unacknowledged_tasks',
    help: 'Tasks with updates that the master has not acknowledged',
  });
  const unknown = metrics.gauge({
    name: 'berth_agent_unknown_containers',
    help: 'Containers of this agent that it cannot take over; they are left alone',
  });
  return () => {
    identity.reset(); // an agent whose record was lost gets a new id
    identity.set(1, { agent_id: source.agentId() ?? '', hostname: source.hostname });
    registered.set(source.isRegistered() ? 1 : 0);
    pending.set(source.pendingUpdates());
    unknown.set(source.unknownContainers());
  };
}

function resourceGauges(metrics: Metrics, source: MetricsSource): () => void {
  const labels = ['resource'];
  const total = metrics.gauge({
    name: 'berth_agent_resources_capacity',
    help: 'Resources of this agent: CPUs, bytes of memory and disk, or as their name says.',
    labels,
  });
  const used = metrics.gauge({
    name: 'berth_agent_resources_allocated',
    help: 'Resources that the tasks of this agent have asked for, in the same units.',
    labels,
  });
  const capacity = ResourceBag.of(source.resources);
  const names = [...new Set(capacity.entries().flatMap(({ name, type }) => (type === 'SCALAR' ? [name] : [])))];
  return () => {
    const allocated = ResourceBag.of(source.tasks().flatMap(({ info }) => info.resources));
    for (const resource of names) {
      total.set(baseAmount(resource, capacity.scalar(resource) / 1000), { resource });
      used.set(baseAmount(resource, allocated.scalar(resource) / 1000), { resource });
    }
  };
}
