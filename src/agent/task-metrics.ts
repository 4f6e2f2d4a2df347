import type { Labels, MetricOptions, Metrics } from '../core/ports/metrics';
import type { TaskUsage } from '../core/ports/task-driver';
import { appOfTask } from '../core/records/app-of-task';
import type { TaskInfo } from '../core/records/mesos';
import { scalarOf } from '../core/records/resources';
import type { UsageSample } from './usage-sampler';

/** A task that lives, as far as its metrics go. */
export interface MeasuredTask {
  readonly taskId: string;
  readonly frameworkId: string;
  readonly info: TaskInfo;
}

interface UsageMetric extends Pick<MetricOptions, 'name' | 'help'> {
  readonly type: 'counter' | 'gauge';
  readonly of: (usage: TaskUsage) => number | undefined;
}

/** One row per metric. What the kernel counts since the start of the task is a counter, the rest are gauges. */
const USAGE: readonly UsageMetric[] = [
  {
    type: 'counter',
    name: 'berth_task_cpu_seconds_total',
    help: 'CPU time used by a task since its start.',
    of: (usage) => usage.cpuSeconds,
  },
  {
    type: 'counter',
    name: 'berth_task_cpu_throttled_seconds_total',
    help: 'Time for which its own limit kept a task from the CPU.',
    of: (usage) => usage.cpuThrottledSeconds,
  },
  {
    type: 'gauge',
    name: 'berth_task_memory_working_set_bytes',
    help: 'Memory a task uses, without inactive file cache.',
    of: (usage) => usage.memoryBytes,
  },
  {
    type: 'gauge',
    name: 'berth_task_memory_limit_bytes',
    help: 'Memory a task may use; absent without a limit.',
    of: (usage) => usage.memoryLimitBytes,
  },
  {
    type: 'counter',
    name: 'berth_task_network_receive_bytes_total',
    help: 'Bytes a task has received; absent if it shares the network of its host.',
    of: (usage) => usage.networkReceivedBytes,
  },
  {
    type: 'counter',
    name: 'berth_task_network_transmit_bytes_total',
    help: 'Bytes a task has sent; absent if it shares the network of its host.',
    of: (usage) => usage.networkSentBytes,
  },
  {
    type: 'counter',
    name: 'berth_task_disk_read_bytes_total',
    help: 'Bytes a task has read from block devices.',
    of: (usage) => usage.diskReadBytes,
  },
  {
    type: 'counter',
    name: 'berth_task_disk_written_bytes_total',
    help: 'Bytes a task has written to block devices.',
    of: (usage) => usage.diskWrittenBytes,
  },
  {
    type: 'gauge',
    name: 'berth_task_processes',
    help: 'Processes and threads of a task.',
    of: (usage) => usage.processes,
  },
];

/**
 * What each living task uses. Series end with their task, so that there are never more than tasks on this agent. The usage of a
 * scrape is what was measured for the one before (UsageSampler): a scrape never waits for Docker.
 */
export class TaskMetrics {
  private readonly rows;
  private readonly cpus;

  constructor(metrics: Metrics) {
    const labels = ['app', 'task_id', 'framework_id'];
    this.rows = USAGE.map(({ type, of, name, help }) => {
      const metric =
        type === 'counter' ? metrics.counter({ name, help, labels }) : metrics.gauge({ name, help, labels });
      const show = (value: number, series: Labels) =>
        'inc' in metric ? metric.inc(series, value) : metric.set(value, series);
      return { of, show, reset: () => metric.reset() };
    });
    this.cpus = metrics.gauge({ name: 'berth_task_cpus_requested', help: 'CPUs a task has asked for.', labels });
  }

  collect(tasks: readonly MeasuredTask[], usage: ReadonlyMap<string, UsageSample>): void {
    this.cpus.reset();
    for (const row of this.rows) row.reset();
    for (const task of tasks) {
      const series = { app: appOfTask(task.info), task_id: task.taskId, framework_id: task.frameworkId };
      this.cpus.set(scalarOf(task.info.resources, 'cpus'), series);
      const sample = usage.get(task.taskId);
      if (sample === undefined) continue;
      for (const { of, show } of this.rows) {
        const value = of(sample);
        if (value !== undefined) show(value, series);
      }
    }
  }
}
