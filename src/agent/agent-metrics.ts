import type { Counter, Gauge, Metrics } from '../core/ports/metrics';
import type { TaskState } from '../core/records/mesos';
import type { UsageSample } from './usage-sampler';

export interface MetricsSource {
  /** Live tasks. */
  tasks(): readonly { readonly taskId: string; readonly frameworkId: string; readonly state: TaskState }[];
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
    const collectors = [taskGauges(metrics, source), stateGauges(metrics, source), usageGauges(metrics, source)];
    metrics.onCollect(() => {
      for (const collect of collectors) collect();
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
  const pending = metrics.gauge({
    name: 'berth_agent_unacknowledged_tasks',
    help: 'Tasks with updates that the master has not acknowledged',
  });
  const unknown = metrics.gauge({
    name: 'berth_agent_unknown_containers',
    help: 'Containers of this agent that it cannot take over; they are left alone',
  });
  return () => {
    registered.set(source.isRegistered() ? 1 : 0);
    pending.set(source.pendingUpdates());
    unknown.set(source.unknownContainers());
  };
}

/** Gauges, also for CPU time: a counter cannot drop the series of a task that has ended. */
function usageGauges(metrics: Metrics, source: MetricsSource): () => void {
  const labels = ['task_id', 'framework_id'];
  const of = (name: string, help: string): Gauge => metrics.gauge({ name, help, labels });
  const cpu = of('berth_task_cpu_seconds', 'CPU time used by a task since its start');
  const memory = of('berth_task_memory_working_set_bytes', 'Memory a task uses, without inactive file cache');
  const limit = of('berth_task_memory_limit_bytes', 'Memory a task may use');
  return () => {
    for (const gauge of [cpu, memory, limit]) gauge.reset();
    const frameworks = new Map(source.tasks().map(({ taskId, frameworkId }) => [taskId, frameworkId]));
    for (const [taskId, usage] of source.usage()) {
      const series = { task_id: taskId, framework_id: frameworks.get(taskId) ?? '' };
      cpu.set(usage.cpuSeconds, series);
      memory.set(usage.memoryBytes, series);
      if (usage.memoryLimitBytes !== undefined) limit.set(usage.memoryLimitBytes, series);
    }
  };
}
