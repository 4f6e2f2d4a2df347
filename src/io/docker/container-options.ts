import { totalmem } from 'node:os';
import { isAbsolute, join } from 'node:path';
import type Docker from 'dockerode';
import { TaskDriverError, type TaskLaunch } from '../../core/ports/task-driver';
import type { ContainerInfo, TaskInfo } from '../../core/records/mesos';
import { containerName, LABELS } from './container-names';
import { applyFlag, bindPort, FlagValueError, type ContainerDraft } from './run-flags';

/** Where a task sees its sandbox (Mesos: --sandbox_directory). */
export const SANDBOX_IN_CONTAINER = '/mnt/mesos/sandbox';

const MIB = 1024 * 1024;
/** Mesos never asks Docker for less memory than this. Docker itself refuses less than 6 MB. */
const MIN_MEMORY_BYTES = 32 * MIB;
const CPU_PERIOD_US = 100_000;
const MIN_CPU_QUOTA_US = 1_000;
/** Labels are kept with every container list; a bigger TaskInfo is left to the checkpoint. */
const MAX_INFO_LABEL_BYTES = 64 * 1024;

export interface DriverIdentity {
  readonly cluster: string;
  /** Tells this agent's containers from those of another agent on the same engine. */
  readonly workDir: string;
}

/**
 * What `docker run` would be given for the task, as Engine API fields (Mesos: Docker::RunOptions::create). Throws
 * TaskDriverError in Mesos' words, or naming the parameter.
 */
export function containerOptions(task: TaskLaunch, identity: DriverIdentity): Docker.ContainerCreateOptions {
  const container = task.info.container;
  const docker = container?.docker;
  if (container === undefined || docker === undefined) throw refused('no DockerInfo found in container info');
  const name = containerName(task.agentId, task.taskId);
  const draft = newDraft(imageReference(docker.image));
  setEnvironment(draft, task, name);
  setCommand(draft, task.info);
  setResources(draft, task.info);
  setVolumes(draft, task, container);
  setNetwork(draft, task.info, container);
  if (docker.privileged === true) draft.HostConfig.Privileged = true;
  for (const parameter of docker.parameters ?? []) flag(draft, parameter);
  return finish(draft, name, labelsOf(task, identity));
}

/** Mesos adds `:latest` where neither tag nor digest is given. */
export function imageReference(image: string): string {
  const last = image.slice(image.lastIndexOf('/') + 1);
  return last.includes(':') || last.includes('@') ? image : `${image}:latest`;
}

function newDraft(image: string): ContainerDraft {
  return {
    Image: image,
    HostConfig: { RestartPolicy: { Name: 'no' } },
    environment: new Map(),
    labels: {},
    networkAliases: [],
    networkAddresses: {},
    network: undefined,
  };
}

function setEnvironment(draft: ContainerDraft, task: TaskLaunch, name: string): void {
  for (const [key, value] of Object.entries(task.environment)) draft.environment.set(key, value);
  for (const { name: key, value } of task.info.command?.environment?.variables ?? [])
    draft.environment.set(key, value ?? '');
  draft.environment.set('MESOS_SANDBOX', SANDBOX_IN_CONTAINER);
  draft.environment.set('MESOS_CONTAINER_NAME', name);
}

function setCommand(draft: ContainerDraft, info: TaskInfo): void {
  const command = info.command;
  const shell = command?.shell ?? command?.value !== undefined;
  if (command?.user !== undefined && command.user !== '') draft.User = command.user;
  if (shell) {
    if (command?.value === undefined) throw refused('Shell specified but no command value provided');
    draft.Entrypoint = ['/bin/sh'];
    draft.Cmd = ['-c', command.value];
    return;
  }
  const words = [...(command?.value === undefined ? [] : [command.value]), ...(command?.arguments ?? [])];
  if (words.length > 0) draft.Cmd = words;
}

function setResources(draft: ContainerDraft, info: TaskInfo): void {
  const cpus = scalar(info, 'cpus');
  const memory = Math.max(MIN_MEMORY_BYTES, Math.floor(scalar(info, 'mem') * MIB));
  if (cpus > 0) draft.HostConfig.CpuShares = Math.max(2, Math.floor(1_024 * cpus));
  const cpuLimit = limitOf(info, 'cpus');
  if (cpuLimit !== undefined && Number.isFinite(cpuLimit)) {
    draft.HostConfig.CpuPeriod = CPU_PERIOD_US;
    draft.HostConfig.CpuQuota = Math.max(MIN_CPU_QUOTA_US, Math.floor(CPU_PERIOD_US * cpuLimit));
  }
  const memLimit = limitOf(info, 'mem');
  if (memLimit === undefined) {
    if (scalar(info, 'mem') > 0) draft.HostConfig.Memory = memory;
    return;
  }
  const limitBytes = Number.isFinite(memLimit) ? Math.max(MIN_MEMORY_BYTES, Math.floor(memLimit * MIB)) : undefined;
  if (limitBytes !== undefined) draft.HostConfig.Memory = limitBytes;
  draft.HostConfig.MemoryReservation = memory;
  if (limitBytes === undefined || limitBytes > memory) draft.HostConfig.OomScoreAdj = oomScore(memory);
}

/** Mesos and Kubernetes: who has asked for less of the machine is killed first; never below 2, never 1000. */
function oomScore(requestBytes: number): number {
  return Math.min(999, Math.max(2, 1_000 - Math.floor((1_000 * requestBytes) / totalmem())));
}

function setVolumes(draft: ContainerDraft, task: TaskLaunch, container: ContainerInfo): void {
  const binds = [`${task.sandbox}:${SANDBOX_IN_CONTAINER}`];
  for (const volume of container.volumes ?? []) {
    const { source, driver } = volumeSource(volume, task.sandbox);
    if (driver !== undefined) draft.HostConfig.VolumeDriver = driver;
    const target = isAbsolute(volume.container_path)
      ? volume.container_path
      : join(SANDBOX_IN_CONTAINER, volume.container_path);
    if (source.includes(':') || target.includes(':'))
      throw refused(`Volume path '${source}' or '${target}' has a colon`);
    binds.push(`${source}:${target}:${volume.mode === 'RO' ? 'ro' : 'rw'}`);
  }
  draft.HostConfig.Binds = binds;
}

type MesosVolume = NonNullable<ContainerInfo['volumes']>[number];

function volumeSource(volume: MesosVolume, sandbox: string): { source: string; driver?: string } {
  const named = dockerVolume(volume);
  if (named !== undefined) return named;
  if (volume.host_path === undefined) throw refused(`Volume '${volume.container_path}' has no host path`);
  if (isAbsolute(volume.host_path)) return { source: volume.host_path };
  if (!isAbsolute(volume.container_path))
    throw refused(
      `Both host_path '${volume.host_path}' and container_path '${volume.container_path}' of a volume are relative`,
    );
  const source = join(sandbox, volume.host_path);
  if (!source.startsWith(`${sandbox}/`)) throw refused(`Volume '${volume.host_path}' leaves the sandbox`);
  return { source };
}

/** `source: {type: DOCKER_VOLUME, docker_volume: {name, driver}}` of a Mesos volume. */
function dockerVolume(volume: MesosVolume): { source: string; driver?: string } | undefined {
  const source = objectAt(volume, 'source');
  const named = objectAt(source, 'docker_volume');
  if (named === undefined) return undefined;
  const name = Reflect.get(named, 'name');
  if (typeof name !== 'string') throw refused(`Volume '${volume.container_path}' has no name`);
  const driver: unknown = Reflect.get(named, 'driver');
  return typeof driver === 'string' ? { source: name, driver } : { source: name };
}

function setNetwork(draft: ContainerDraft, info: TaskInfo, container: ContainerInfo): void {
  const mode = container.docker?.network ?? 'HOST';
  draft.HostConfig.NetworkMode = mode === 'USER' ? userNetwork(container) : mode.toLowerCase();
  if (container.hostname !== undefined) {
    if (mode === 'HOST') throw refused('Unable to set hostname with host network mode');
    draft.Hostname = container.hostname;
  }
  const mappings = container.docker?.port_mappings ?? [];
  if (mappings.length === 0) return;
  if (mode !== 'BRIDGE' && mode !== 'USER')
    throw refused('Port mappings are only supported for bridge and user-defined networks');
  for (const { host_port, container_port, protocol } of mappings) {
    if (!hasPort(info, host_port)) throw refused(`Port [${host_port}] not included in resources`);
    for (const kind of (protocol ?? 'tcp').toLowerCase().split(','))
      bindPort(draft, `${container_port}/${kind.trim()}`, { HostIp: '', HostPort: String(host_port) });
  }
}

function userNetwork(container: ContainerInfo): string {
  const networks = container.network_infos ?? [];
  const name = networks[0]?.name;
  if (networks.length !== 1 || name === undefined)
    throw refused('A user-defined network needs exactly one network_infos entry with a name');
  return name;
}

function flag(draft: ContainerDraft, parameter: { readonly key: string; readonly value: string }): void {
  try {
    applyFlag(draft, parameter);
  } catch (error) {
    if (error instanceof FlagValueError) throw refused(error.message);
    throw error;
  }
}

function finish(draft: ContainerDraft, name: string, labels: Record<string, string>): Docker.ContainerCreateOptions {
  const { environment, labels: userLabels, networkAliases, networkAddresses, network, ...options } = draft;
  if (network !== undefined) draft.HostConfig.NetworkMode = network;
  const mode = String(draft.HostConfig.NetworkMode);
  const endpoint: Docker.EndpointSettings & Record<string, unknown> = {};
  if (networkAliases.length > 0) endpoint.Aliases = networkAliases;
  if (Object.keys(networkAddresses).length > 0) endpoint.IPAMConfig = networkAddresses;
  return {
    ...options,
    name,
    Env: [...environment].map(([key, value]) => `${key}=${value}`),
    // Ours come last: a user's label must not hide a container from its agent.
    Labels: { ...userLabels, ...labels },
    ...(Object.keys(endpoint).length === 0 ? {} : { NetworkingConfig: { EndpointsConfig: { [mode]: endpoint } } }),
  };
}

function labelsOf(task: TaskLaunch, identity: DriverIdentity): Record<string, string> {
  const info = JSON.stringify(task.info);
  return {
    [LABELS.cluster]: identity.cluster,
    [LABELS.agent]: task.agentId,
    [LABELS.framework]: task.frameworkId,
    [LABELS.task]: task.taskId,
    [LABELS.workDir]: identity.workDir,
    [LABELS.mesosTask]: task.taskId,
    ...(Buffer.byteLength(info) > MAX_INFO_LABEL_BYTES ? {} : { [LABELS.info]: info }),
  };
}

function scalar(info: TaskInfo, name: string): number {
  return info.resources
    .filter((resource) => resource.name === name)
    .reduce((sum, resource) => sum + (resource.scalar?.value ?? 0), 0);
}

function hasPort(info: TaskInfo, port: number): boolean {
  return info.resources
    .filter((resource) => resource.name === 'ports')
    .some((resource) => resource.ranges?.range.some(({ begin, end }) => begin <= port && port <= end));
}

/** TaskInfo.limits: `{cpus: {value}}`; "Infinity" may be text. Undefined: no limit given. */
function limitOf(info: TaskInfo, name: string): number | undefined {
  const limit = info.limits?.[name];
  const value: unknown = typeof limit === 'object' && limit !== null ? Reflect.get(limit, 'value') : limit;
  if (typeof value === 'number') return value;
  return typeof value === 'string' && value !== '' ? Number(value) : undefined;
}

function objectAt(value: unknown, key: string): object | undefined {
  const found: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;
  return typeof found === 'object' && found !== null ? found : undefined;
}

function refused(message: string): TaskDriverError {
  return new TaskDriverError(
    'REASON_CONTAINER_LAUNCH_FAILED',
    'create',
    `Failed to create docker run options: ${message}`,
  );
}
