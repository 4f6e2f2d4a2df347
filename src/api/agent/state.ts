import type { Agent, TaskView } from '../../agent/agent';
import type { UsageSample } from '../../agent/usage-sampler';
import { isTerminal, type Resource, type TaskInfo } from '../../core/records/mesos';

/** Mesos: `/state` of an agent, in short: what tools read of it. */
export function agentState(agent: Agent): object {
  const { info } = agent;
  const { state, reason, agentId = '' } = agent.status();
  const address = `${info.hostname}:${info.port}`;
  return {
    id: agentId,
    pid: `slave(1)@${address}`,
    hostname: info.hostname,
    version: info.version,
    state,
    reason,
    containerizers: info.containerizers,
    resources: summary(info.resources),
    attributes: Object.fromEntries(info.attributes.map((attribute) => [attribute.name, attributeText(attribute)])),
    frameworks: frameworksOf(agent.list()),
  };
}

function frameworksOf(tasks: readonly TaskView[]): object[] {
  const byFramework = new Map<string, TaskView[]>();
  for (const task of tasks) byFramework.set(task.frameworkId, [...(byFramework.get(task.frameworkId) ?? []), task]);
  return [...byFramework].map(([id, list]) => ({
    id,
    executors: list.filter((task) => !isTerminal(task.state)).map(executorOf),
    completed_executors: list.filter((task) => isTerminal(task.state)).map(executorOf),
  }));
}

/** Each task is its own executor, as with Mesos' docker executor. */
function executorOf(task: TaskView): object {
  return {
    id: task.taskId,
    name: task.info.name,
    container: task.containerId ?? '',
    container_name: task.containerName ?? '',
    directory: task.sandbox,
    resources: summary(task.info.resources),
    tasks: [
      {
        id: task.taskId,
        name: task.info.name,
        framework_id: task.frameworkId,
        executor_id: task.taskId,
        slave_id: task.info.agent_id.value,
        state: task.state,
        resources: summary(task.info.resources),
        statuses: task.latest === undefined ? [] : [statusOf(task.latest)],
      },
    ],
  };
}

function statusOf({
  state,
  timestamp,
  healthy,
  message,
  reason,
  container_status,
}: NonNullable<TaskView['latest']>): object {
  return { state, timestamp, healthy, message, reason, container_status };
}

/** Mesos: resources as one object, ports as text. */
export function summary(resources: readonly Resource[]): Record<string, number | string> {
  const sums: Record<string, number | string> = { cpus: 0, gpus: 0, mem: 0, disk: 0 };
  const ports: string[] = [];
  for (const { name, scalar, ranges } of resources) {
    if (scalar !== undefined) sums[name] = Number(sums[name] ?? 0) + scalar.value;
    if (name === 'ports') for (const { begin, end } of ranges?.range ?? []) ports.push(`${begin}-${end}`);
  }
  if (ports.length > 0) sums['ports'] = `[${ports.join(', ')}]`;
  return sums;
}

function attributeText(attribute: Agent['info']['attributes'][number]): unknown {
  const { text, scalar, ranges } = attribute;
  if (text !== undefined) return text.value;
  if (scalar !== undefined) return scalar.value;
  return `[${(ranges?.range ?? []).map(({ begin, end }) => `${begin}-${end}`).join(', ')}]`;
}

/** Mesos: `/monitor/statistics`, one element per running task. */
export function statistics(tasks: readonly TaskView[], usage: ReadonlyMap<string, UsageSample>): object[] {
  return tasks.flatMap((task) => {
    const sample = usage.get(task.taskId);
    if (sample === undefined) return [];
    return [
      {
        executor_id: task.taskId,
        executor_name: task.info.name,
        framework_id: task.frameworkId,
        source: task.taskId,
        statistics: {
          timestamp: sample.atMs / 1_000,
          cpus_limit: scalarOf(task.info, 'cpus'),
          // Docker's one figure is both; Mesos splits it and tools add the two.
          cpus_user_time_secs: sample.cpuSeconds,
          cpus_system_time_secs: 0,
          mem_rss_bytes: sample.memoryBytes,
          mem_total_bytes: sample.memoryBytes,
          ...(sample.memoryLimitBytes === undefined ? {} : { mem_limit_bytes: sample.memoryLimitBytes }),
          ...(sample.cpuThrottledSeconds === undefined ? {} : { cpus_throttled_time_secs: sample.cpuThrottledSeconds }),
          ...(sample.networkReceivedBytes === undefined ? {} : { net_rx_bytes: sample.networkReceivedBytes }),
          ...(sample.networkSentBytes === undefined ? {} : { net_tx_bytes: sample.networkSentBytes }),
        },
      },
    ];
  });
}

function scalarOf(info: TaskInfo, name: string): number {
  return info.resources
    .filter((resource) => resource.name === name)
    .reduce((sum, resource) => sum + (resource.scalar?.value ?? 0), 0);
}
