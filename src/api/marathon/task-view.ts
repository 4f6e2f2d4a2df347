import { z } from 'zod';
import type { InstanceView } from '../../core/lifecycle/views';
import type { AppSpec } from '../../core/records/app';
import type { TaskInfo } from '../../core/records/mesos';
import { timestamp } from '../../core/records/metadata';
import { isTerminal } from '../../core/records/mesos';
import { servicePortsOf } from '../../core/records/service-ports';
import type { Agent, Task } from '../../core/records/records';

/** A task as Marathon shows it. */
export interface TaskView {
  readonly id: string;
  readonly appId: string;
  readonly host: string;
  readonly slaveId: string;
  readonly state: string;
  readonly stagedAt: string;
  readonly startedAt?: string;
  readonly version?: string;
  readonly ports: readonly number[];
  readonly servicePorts: readonly number[];
  readonly ipAddresses: readonly { readonly ipAddress: string; readonly protocol: string }[];
  readonly healthCheckResults: readonly unknown[];
  readonly localVolumes: readonly unknown[];
  readonly region?: string;
  readonly zone?: string;
  readonly role: string;
}

/** The run of an instance, if it has one. @param spec the definition it runs (or the app's, if that is gone) */
export function taskView(view: InstanceView, spec: AppSpec, agent: Agent | undefined): TaskView | undefined {
  const task = view.task?.record;
  if (task === undefined) return undefined;
  const active = !isTerminal(task.status.state);
  const { region, zone } = agent?.spec ?? {};
  return {
    id: task.spec.taskId,
    appId: view.instance.record.spec.appId,
    host: agent?.spec.hostname ?? '',
    slaveId: task.spec.agentId,
    state: task.status.state,
    stagedAt: timestamp(task.status.stagedAtMs),
    ...startOf(task, view, active),
    ports: active ? hostPortsOf(task.spec.info) : [],
    servicePorts: servicePortsOf(spec),
    ipAddresses: ipAddressesOf(task),
    healthCheckResults: healthResultsOf(task, view.id),
    localVolumes: [],
    ...(region === undefined ? {} : { region }),
    ...(zone === undefined ? {} : { zone }),
    role: task.spec.role,
  };
}

/** Marathon: what has ended shows neither start nor version. */
function startOf(task: Task, view: InstanceView, active: boolean) {
  if (!active) return {};
  const { startedAtMs } = task.status;
  return {
    ...(startedAtMs === undefined ? {} : { startedAt: timestamp(startedAtMs) }),
    version: view.instance.record.spec.appVersion,
  };
}

/**
 * Host ports in the order of the definition: the resources say which ports are the task's, the discovery info in which order.
 * Ports of the task's own network are not among them.
 */
export function hostPortsOf(info: TaskInfo): number[] {
  const allocated = info.resources
    .filter(({ name }) => name === 'ports')
    .flatMap(({ ranges }) => ranges?.range ?? [])
    .flatMap(({ begin, end }) => Array.from({ length: end - begin + 1 }, (_, i) => begin + i));
  const known = new Set(allocated);
  const declared = discoveredPorts(info).filter((port) => known.has(port));
  // A port for `udp,tcp` is in the discovery info twice.
  return declared.length === 0 ? allocated : [...new Set(declared)];
}

const discoverySchema = z.looseObject({
  ports: z.looseObject({ ports: z.array(z.looseObject({ number: z.number() })) }),
});

function discoveredPorts(info: TaskInfo): number[] {
  const parsed = discoverySchema.safeParse(info.discovery);
  return parsed.success ? parsed.data.ports.ports.map(({ number }) => number) : [];
}

export function ipAddressesOf(task: Task): { readonly ipAddress: string; readonly protocol: string }[] {
  const networks = task.status.latest?.container_status?.network_infos ?? [];
  return networks
    .flatMap((network) => network.ip_addresses ?? [])
    .flatMap(({ ip_address: ipAddress, protocol = 'IPv4' }) =>
      ipAddress === undefined ? [] : [{ ipAddress, protocol }],
    );
}

function healthResultsOf(task: Task, instanceId: string): unknown[] {
  const results = task.status.latest?.health ?? [];
  return results.filter((result) => result !== null).map((result) => ({ ...result, instanceId }));
}
