import type { Match } from '../core/placement/match';
import type { AppHealthCheck, AppSpec, PortMapping } from '../core/records/app';
import type { CommandInfo, ContainerInfo, MesosHealthCheck, TaskInfo } from '../core/records/mesos';
import { declaredPorts, taskEnvironment } from './task-environment';

export interface TaskInfoInput {
  readonly spec: AppSpec;
  /** Version the instance was made for. */
  readonly version: string;
  readonly taskId: string;
  readonly agentId: string;
  readonly hostname: string;
  readonly match: Match;
  readonly envVarsPrefix: string;
}

/** The Mesos task of one instance of an app (Marathon: TaskBuilder). */
export function taskInfo(input: TaskInfoInput): TaskInfo {
  const { spec, match, taskId, agentId } = input;
  const container = containerInfo(spec, match.hostPorts);
  const checks = spec.healthChecks.map((check) => healthCheck(check, spec, match.hostPorts));
  const readiness = readinessChecks(spec, match.hostPorts);
  const graceSeconds = spec.taskKillGracePeriodSeconds;
  return {
    name: taskName(spec.id),
    task_id: { value: taskId },
    agent_id: { value: agentId },
    resources: [...match.resources],
    command: commandInfo(input),
    ...(container === undefined ? {} : { container }),
    ...(checks.length === 0 ? {} : { health_checks: checks }),
    ...(readiness.length === 0 ? {} : { readiness_checks: readiness }),
    ...(graceSeconds === undefined ? {} : { kill_policy: { grace_period: { nanoseconds: graceSeconds * 1e9 } } }),
    labels: { labels: Object.entries(spec.labels).map(([key, value]) => ({ key, value })) },
    discovery: discoveryInfo(spec, match.hostPorts),
    ...limitsOf(spec),
  };
}

/** Marathon: `/prod/eu/web` is `web.eu.prod`. */
export function taskName(appId: string): string {
  return appId.slice(1).split('/').reverse().join('.');
}

function limitsOf({ resourceLimits }: AppSpec): Pick<TaskInfo, 'limits'> {
  if (resourceLimits === undefined) return {};
  const limit = (value: number | 'unlimited') => ({ value: value === 'unlimited' ? 'Infinity' : value });
  const { cpus, mem } = resourceLimits;
  return {
    limits: { ...(cpus === undefined ? {} : { cpus: limit(cpus) }), ...(mem === undefined ? {} : { mem: limit(mem) }) },
  };
}

function commandInfo({ spec, match, taskId, version, hostname, envVarsPrefix }: TaskInfoInput): CommandInfo {
  const environment = taskEnvironment({
    spec,
    taskId,
    version,
    host: hostname,
    hostPorts: match.hostPorts,
    prefix: envVarsPrefix,
  });
  const variables = Object.entries(environment).map(([name, value]) => ({ name, value }));
  const uris = spec.fetch.map(({ uri, executable, extract, cache, destPath }) => ({
    value: uri,
    executable,
    extract,
    cache,
    ...(destPath === undefined ? {} : { output_file: destPath }),
  }));
  return {
    ...commandLine(spec),
    environment: { variables },
    ...(uris.length === 0 ? {} : { uris }),
    ...(spec.user === undefined ? {} : { user: spec.user }),
  };
}

/** cmd: through the shell. args: an image gets them behind its ENTRYPOINT; without an image the first is the program. */
function commandLine({ cmd, args, container }: AppSpec): CommandInfo {
  if (cmd !== undefined) return { shell: true, value: cmd };
  if (container?.docker === undefined && args[0] !== undefined) {
    return { shell: false, value: args[0], arguments: [...args] };
  }
  return { shell: false, ...(args.length === 0 ? {} : { arguments: [...args] }) };
}

const NETWORK_BY_MODE = {
  host: 'HOST',
  'container/bridge': 'BRIDGE',
  container: 'USER',
  none: 'NONE',
} as const;

function containerInfo(spec: AppSpec, hostPorts: readonly (number | undefined)[]): ContainerInfo | undefined {
  const { container } = spec;
  if (container === undefined) return undefined;
  const volumes = container.volumes.flatMap(({ containerPath, hostPath, mode }) =>
    hostPath === undefined
      ? []
      : [{ container_path: containerPath, host_path: hostPath, mode: mode ?? ('RO' as const) }],
  );
  const names = spec.networks.flatMap(({ name }) => (name === undefined ? [] : [{ name }]));
  const common = { volumes, ...(names.length === 0 ? {} : { network_infos: names }) };
  const { docker } = container;
  if (container.type === 'MESOS' || docker === undefined) return { type: 'MESOS', ...common, mesos: mesosImage(spec) };
  return {
    type: 'DOCKER',
    ...common,
    docker: {
      image: docker.image,
      network: NETWORK_BY_MODE[spec.networks[0]?.mode ?? 'host'],
      port_mappings: (container.portMappings ?? []).flatMap((mapping, at) => dockerPorts(mapping, hostPorts[at])),
      privileged: docker.privileged,
      parameters: docker.parameters.map(({ key, value }) => ({ key, value })),
      force_pull_image: docker.forcePullImage,
    },
  };
}

function mesosImage({ container }: AppSpec): NonNullable<ContainerInfo['mesos']> {
  if (container?.docker === undefined) return {};
  const { image, forcePullImage } = container.docker;
  return { image: { type: 'DOCKER', docker: { name: image }, cached: !forcePullImage } };
}

/** `udp,tcp` is one port of the agent and two mappings. A container port 0 takes the number of the host port. */
function dockerPorts(
  { containerPort, protocol }: PortMapping,
  hostPort: number | undefined,
): { host_port: number; container_port: number; protocol: string }[] {
  if (hostPort === undefined) return [];
  return protocol.split(',').map((name) => ({
    host_port: hostPort,
    container_port: containerPort === 0 ? hostPort : containerPort,
    protocol: name,
  }));
}

/** Where a check finds the task: at a port of the agent if there is one, else inside the task's own network. */
function endpointOf(
  spec: AppSpec,
  hostPorts: readonly (number | undefined)[],
  at: number,
  inside: boolean,
): { readonly port: number; readonly from: 'host' | 'container' } {
  const hostPort = hostPorts[at];
  const declared = declaredPorts(spec)[at]?.number ?? 0;
  const isHostNetwork = spec.portDefinitions !== undefined;
  const containerPort = isHostNetwork || declared === 0 ? (hostPort ?? declared) : declared;
  if (inside || hostPort === undefined) return { port: containerPort, from: 'container' };
  return { port: hostPort, from: 'host' };
}

/** Marathon's own checks came from outside, within 5 s of the start; MESOS_* and COMMAND run inside, after their delay. */
function healthCheck(
  check: AppHealthCheck,
  spec: AppSpec,
  hostPorts: readonly (number | undefined)[],
): MesosHealthCheck {
  const isInside = check.protocol === 'COMMAND' || check.protocol.startsWith('MESOS_');
  const common = {
    delay_seconds: isInside ? check.delaySeconds : Math.min(check.intervalSeconds, 5),
    interval_seconds: check.intervalSeconds,
    timeout_seconds: check.timeoutSeconds,
    // The agent only reports; the orchestrator kills at max_consecutive_failures.
    consecutive_failures: 0,
    max_consecutive_failures: check.maxConsecutiveFailures,
    grace_period_seconds: check.gracePeriodSeconds,
  };
  if (check.protocol === 'COMMAND') {
    return {
      ...common,
      type: 'COMMAND',
      command: { shell: true, value: check.command?.value ?? '' },
      from: 'container',
    };
  }
  const endpoint = endpointOf(spec, hostPorts, check.portIndex ?? 0, isInside);
  const port = check.port ?? endpoint.port;
  const protocol = check.protocol.replace('MESOS_', '');
  if (protocol === 'TCP') return { ...common, type: 'TCP', tcp: { port }, from: endpoint.from };
  return {
    ...common,
    type: 'HTTP',
    http: { port, path: check.path ?? '/', scheme: protocol.toLowerCase() },
    ignore_http_1xx: check.ignoreHttp1xx,
    from: endpoint.from,
  };
}

function readinessChecks(
  spec: AppSpec,
  hostPorts: readonly (number | undefined)[],
): NonNullable<TaskInfo['readiness_checks']> {
  const names = declaredPorts(spec).map(({ name }) => name);
  return spec.readinessChecks.map((check) => ({
    name: check.name,
    ...endpointOf(spec, hostPorts, Math.max(0, names.indexOf(check.portName)), false),
    path: check.path,
    scheme: check.protocol.toLowerCase(),
    interval_seconds: check.intervalSeconds,
    timeout_seconds: check.timeoutSeconds,
    statuses: [...check.httpStatusCodesForReady],
    preserve_last_response: check.preserveLastResponse,
  }));
}

function discoveryInfo(spec: AppSpec, hostPorts: readonly (number | undefined)[]): NonNullable<TaskInfo['discovery']> {
  const protocols = (spec.portDefinitions ?? spec.container?.portMappings ?? []).map(({ protocol }) => protocol);
  const ports = declaredPorts(spec).flatMap(({ number, name }, at) =>
    (protocols[at] ?? 'tcp').split(',').map((protocol) => ({
      number: hostPorts[at] ?? number,
      protocol,
      ...(name === undefined ? {} : { name }),
    })),
  );
  return { visibility: 'FRAMEWORK', name: taskName(spec.id), ports: { ports } };
}
