import type { Request, Response } from 'express';
import { z } from 'zod';
import { BadRequestError } from '../../core/errors';
import { compareText } from '../../core/lifecycle/views';
import type { Records } from '../../core/ports/records';
import { appOfTask } from '../../core/records/app-of-task';
import type { TaskInfo } from '../../core/records/mesos';
import type { Agent, Task } from '../../core/records/records';
import { attributeText } from '../../core/records/resources';
import { sendList } from './answers';
import type { MarathonInfo } from './dependencies';
import { queryOf } from './query';
import { hostPortsOf, ipAddressesOf } from './task-view';

const KINDS = ['server', 'agent', 'app'] as const;
type Kind = (typeof KINDS)[number];

/** An element of Prometheus' HTTP service discovery. */
export interface TargetGroup {
  readonly targets: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

/**
 * `GET /v1/sd/prometheus`: what Prometheus can scrape (http_sd_configs), from this replica's mirror. `?kind=` (again, or separated
 * by commas) asks for some only. `server` is the one that answers: nobody knows all of them, so list them all in Prometheus.
 */
export async function sendTargets(
  { records, info }: { readonly records: Records; readonly info: Pick<MarathonInfo, 'self' | 'scheme' | 'hostname'> },
  request: Request,
  response: Response,
): Promise<void> {
  const kinds = kindsOf(queryOf(request).getAll('kind'));
  const groups: (() => readonly TargetGroup[])[] = [];
  if (kinds.has('server')) groups.push(() => [serverTarget(info)]);
  const agents = [...records.collection('Agent').list()].map(({ record }) => record);
  if (kinds.has('agent')) groups.push(...agents.map((agent) => () => agentTargets(agent)));
  if (kinds.has('app')) {
    const byId = new Map(agents.map((agent) => [agent.metadata.name, agent]));
    const tasks = [...records.collection('Task').list()].map(({ record }) => record);
    groups.push(...tasks.map((task) => () => appTargets(task, byId.get(task.spec.agentId))));
  }
  await sendList(response, groups, (make) => make());
}

function kindsOf(asked: readonly string[]): ReadonlySet<Kind> {
  const names = asked.flatMap((text) => text.split(',')).filter((name) => name !== '');
  const unknown = names.find((name) => !KINDS.some((kind) => kind === name));
  if (unknown !== undefined) throw new BadRequestError(`kind is one of ${KINDS.join(', ')}, not '${unknown}'`);
  return new Set(names.length === 0 ? KINDS : KINDS.filter((kind) => names.includes(kind)));
}

function serverTarget({ self, scheme, hostname }: Pick<MarathonInfo, 'self' | 'scheme' | 'hostname'>): TargetGroup {
  const labels = { __scheme__: scheme, __meta_berth_kind: 'server', __meta_berth_hostname: hostname };
  return { targets: [self], labels };
}

function agentTargets({ metadata, spec, status }: Agent): TargetGroup[] {
  if (status.state === 'gone') return [];
  const attributes = spec.attributes.map(
    (attribute) => [`__meta_berth_agent_attribute_${labelName(attribute.name)}`, attributeText(attribute)] as const,
  );
  const labels = {
    ...Object.fromEntries(attributes),
    __meta_berth_kind: 'agent',
    __meta_berth_hostname: spec.hostname,
    __meta_berth_agent_id: metadata.name,
    __meta_berth_agent_state: status.state,
  };
  return [{ targets: [address(spec.hostname, spec.port)], labels }];
}

/** The app's wish for the port to scrape, by name or index; default: the first. */
const PORT_LABEL = 'prometheus.io/port';

/** One target for each TCP port of a running task; Prometheus chooses by the labels of the app. */
function appTargets(task: Task, agent: Agent | undefined): TargetGroup[] {
  if (task.status.state !== 'TASK_RUNNING' || agent === undefined) return [];
  const { info } = task.spec;
  const onHost = new Set(hostPortsOf(info));
  const [own] = ipAddressesOf(task);
  const labels = taskLabels(task.spec, agent);
  const ports = portsOf(info).flatMap(({ number, name = '', protocol = 'tcp' }, at) => {
    const host = onHost.has(number) ? agent.spec.hostname : own?.ipAddress;
    if (host === undefined || number === 0 || protocol !== 'tcp') return [];
    return [{ target: address(host, number), index: String(at), name }];
  });
  const wish = info.labels?.labels.find(({ key }) => key === PORT_LABEL)?.value;
  const chosen = wish === undefined ? ports[0] : ports.find(({ index, name }) => name === wish || index === wish);
  return ports.map((port) => ({
    targets: [port.target],
    labels: {
      ...labels,
      __meta_berth_port_index: port.index,
      __meta_berth_port_name: port.name,
      __meta_berth_port_chosen: String(port === chosen),
    },
  }));
}

function taskLabels({ info, taskId, frameworkId }: Task['spec'], agent: Agent): Record<string, string> {
  const own = (info.labels?.labels ?? [])
    .toSorted((a, b) => compareText(a.key, b.key))
    .map(({ key, value = '' }) => [`__meta_berth_app_label_${labelName(key)}`, value] as const);
  return {
    ...Object.fromEntries(own),
    __meta_berth_kind: 'app',
    __meta_berth_framework_id: frameworkId,
    __meta_berth_image: info.container?.docker?.image ?? '',
    app: appOfTask(info),
    task_id: taskId,
    agent: agent.spec.hostname,
  };
}

const discoverySchema = z.looseObject({
  ports: z.looseObject({
    ports: z.array(z.looseObject({ number: z.number(), name: z.string().optional(), protocol: z.string().optional() })),
  }),
});

/** What the task says of its ports; else the ports it was given. */
function portsOf(
  info: TaskInfo,
): readonly { number: number; name?: string | undefined; protocol?: string | undefined }[] {
  const parsed = discoverySchema.safeParse(info.discovery);
  const declared = parsed.success ? parsed.data.ports.ports : [];
  return declared.length > 0 ? declared : hostPortsOf(info).map((number) => ({ number }));
}

/** Prometheus: what is not a letter, digit or underscore becomes an underscore. */
function labelName(key: string): string {
  return key.replaceAll(/[^a-zA-Z0-9_]/g, '_');
}

function address(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
