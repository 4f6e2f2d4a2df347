import type Docker from 'dockerode';

/** What create() is given, with the parts that flags write to always there. */
export interface ContainerDraft extends Docker.ContainerCreateOptions {
  readonly HostConfig: Docker.HostConfig & Record<string, unknown>;
  /** `NAME=value` by name: later ones win. */
  readonly environment: Map<string, string>;
  readonly labels: Record<string, string>;
  networkAliases: string[];
  networkAddresses: { IPv4Address?: string; IPv6Address?: string };
  /** The first `net` or `network` flag replaces the network (Mesos). */
  network: string | undefined;
}

type Apply = (draft: ContainerDraft, value: string) => void;

/** A flag's value is not what `docker run` would take. */
export class FlagValueError extends Error {}

/**
 * `docker run` flags (TaskInfo.container.docker.parameters) and the Engine API fields they mean. Keys without dashes, long form.
 * Source: docker/cli `cli/command/container/opts.go`.
 */
const FLAGS: Readonly<Record<string, Apply>> = {
  // identity and command
  hostname: (d, v) => void (d.Hostname = v),
  domainname: (d, v) => void (d.Domainname = v),
  user: (d, v) => void (d.User = v),
  workdir: (d, v) => void (d.WorkingDir = v),
  entrypoint: (d, v) => void (d.Entrypoint = v === '' ? [''] : [v]),
  env: (d, v) => setEnvironment(d, v),
  label: (d, v) => {
    const [name, value] = pair(v, '=');
    d.labels[name] = value;
  },
  tty: (d, v) => void (d.Tty = bool(v)),
  interactive: (d, v) => void (d.OpenStdin = bool(v)),
  'stop-signal': (d, v) => void (d.StopSignal = v),
  'stop-timeout': (d, v) => void (d.StopTimeout = int(v)),
  init: (d, v) => host(d, 'Init', bool(v)),
  runtime: (d, v) => host(d, 'Runtime', v),
  // files
  volume: (d, v) => (v.includes(':') ? append(d, 'Binds', v) : void (d.Volumes = { ...d.Volumes, [v]: {} })),
  'volumes-from': (d, v) => append(d, 'VolumesFrom', v),
  'volume-driver': (d, v) => host(d, 'VolumeDriver', v),
  mount: (d, v) => append(d, 'Mounts', mount(v)),
  tmpfs: (d, v) => {
    const [path, options] = pair(v, ':');
    merge(d, 'Tmpfs', path, options);
  },
  'read-only': (d, v) => host(d, 'ReadonlyRootfs', bool(v)),
  'shm-size': (d, v) => host(d, 'ShmSize', bytes(v)),
  'storage-opt': (d, v) => merge(d, 'StorageOpt', ...pair(v, '=')),
  // network
  net: (d, v) => void (d.network ??= v),
  'network-alias': (d, v) => void d.networkAliases.push(v),
  ip: (d, v) => void (d.networkAddresses.IPv4Address = v),
  ip6: (d, v) => void (d.networkAddresses.IPv6Address = v),
  'mac-address': (d, v) => void (d['MacAddress'] = v),
  link: (d, v) => append(d, 'Links', v),
  'add-host': (d, v) => append(d, 'ExtraHosts', v),
  dns: (d, v) => append(d, 'Dns', v),
  'dns-search': (d, v) => append(d, 'DnsSearch', v),
  'dns-option': (d, v) => append(d, 'DnsOptions', v),
  publish: (d, v) => publish(d, v),
  expose: (d, v) => void (d.ExposedPorts = { ...d.ExposedPorts, [v.includes('/') ? v : `${v}/tcp`]: {} }),
  // isolation and rights
  privileged: (d, v) => host(d, 'Privileged', bool(v)),
  'cap-add': (d, v) => append(d, 'CapAdd', v),
  'cap-drop': (d, v) => append(d, 'CapDrop', v),
  'security-opt': (d, v) => append(d, 'SecurityOpt', v),
  'group-add': (d, v) => append(d, 'GroupAdd', v),
  sysctl: (d, v) => merge(d, 'Sysctls', ...pair(v, '=')),
  ulimit: (d, v) => append(d, 'Ulimits', ulimit(v)),
  ipc: (d, v) => host(d, 'IpcMode', v),
  pid: (d, v) => host(d, 'PidMode', v),
  uts: (d, v) => host(d, 'UTSMode', v),
  userns: (d, v) => host(d, 'UsernsMode', v),
  cgroupns: (d, v) => host(d, 'CgroupnsMode', v),
  'cgroup-parent': (d, v) => host(d, 'CgroupParent', v),
  device: (d, v) => append(d, 'Devices', device(v)),
  'device-cgroup-rule': (d, v) => append(d, 'DeviceCgroupRules', v),
  gpus: (d, v) => append(d, 'DeviceRequests', gpus(v)),
  // resources
  memory: (d, v) => host(d, 'Memory', bytes(v)),
  'memory-reservation': (d, v) => host(d, 'MemoryReservation', bytes(v)),
  'memory-swap': (d, v) => host(d, 'MemorySwap', v === '-1' ? -1 : bytes(v)),
  'memory-swappiness': (d, v) => host(d, 'MemorySwappiness', int(v)),
  'oom-kill-disable': (d, v) => host(d, 'OomKillDisable', bool(v)),
  'oom-score-adj': (d, v) => host(d, 'OomScoreAdj', int(v)),
  'pids-limit': (d, v) => host(d, 'PidsLimit', int(v)),
  'cpu-shares': (d, v) => host(d, 'CpuShares', int(v)),
  'cpu-period': (d, v) => host(d, 'CpuPeriod', int(v)),
  'cpu-quota': (d, v) => host(d, 'CpuQuota', int(v)),
  cpus: (d, v) => {
    delete d.HostConfig.CpuPeriod;
    delete d.HostConfig.CpuQuota;
    host(d, 'NanoCpus', Math.round(number(v) * 1e9));
  },
  'cpuset-cpus': (d, v) => host(d, 'CpusetCpus', v),
  'cpuset-mems': (d, v) => host(d, 'CpusetMems', v),
  'blkio-weight': (d, v) => host(d, 'BlkioWeight', int(v)),
  'device-read-bps': (d, v) => append(d, 'BlkioDeviceReadBps', rate(v, bytes)),
  'device-write-bps': (d, v) => append(d, 'BlkioDeviceWriteBps', rate(v, bytes)),
  'device-read-iops': (d, v) => append(d, 'BlkioDeviceReadIOps', rate(v, int)),
  'device-write-iops': (d, v) => append(d, 'BlkioDeviceWriteIOps', rate(v, int)),
  // logs
  'log-driver': (d, v) => logConfig(d, { Type: v }),
  'log-opt': (d, v) => {
    const [name, value] = pair(v, '=');
    logConfig(d, { Config: { [name]: value } });
  },
};

const ALIASES: Readonly<Record<string, string>> = {
  h: 'hostname',
  u: 'user',
  w: 'workdir',
  e: 'env',
  l: 'label',
  t: 'tty',
  i: 'interactive',
  v: 'volume',
  network: 'net',
  'net-alias': 'network-alias',
  'dns-opt': 'dns-option',
  p: 'publish',
  m: 'memory',
  c: 'cpu-shares',
};

/** Flags of `docker run` that a task may not have, and why. */
const REFUSED: Readonly<Record<string, string>> = {
  name: 'the agent names containers',
  restart: 'the orchestrator restarts tasks; Docker must not',
  rm: 'the agent removes containers after reporting how they ended',
  detach: 'tasks always run detached',
  d: 'tasks always run detached',
  cidfile: 'containers are found by their labels',
  'env-file': 'use the environment of the task',
  'label-file': 'use the parameter label',
  'lxc-conf': 'Docker has no LXC driver any more',
};

/** Applies one parameter. Throws FlagValueError with a sentence that names the parameter. */
export function applyFlag(draft: ContainerDraft, parameter: { readonly key: string; readonly value: string }): void {
  const given = parameter.key.replace(/^-+/, '');
  const key = ALIASES[given] ?? given;
  const refused = REFUSED[key];
  if (refused !== undefined) throw new FlagValueError(`parameter '${given}' is not allowed: ${refused}`);
  const apply = Object.hasOwn(FLAGS, key) ? FLAGS[key] : undefined;
  if (apply === undefined) throw new FlagValueError(`parameter '${given}' is not a docker run option that Berth knows`);
  try {
    apply(draft, parameter.value);
  } catch (error) {
    if (!(error instanceof FlagValueError)) throw error;
    throw new FlagValueError(`parameter '${given}': ${error.message}`);
  }
}

function host(draft: ContainerDraft, key: string, value: unknown): void {
  draft.HostConfig[key] = value;
}

function append(draft: ContainerDraft, key: string, value: unknown): void {
  const list = draft.HostConfig[key];
  draft.HostConfig[key] = [...(Array.isArray(list) ? (list as unknown[]) : []), value];
}

function merge(draft: ContainerDraft, key: string, name: string, value: string): void {
  const map = draft.HostConfig[key];
  draft.HostConfig[key] = { ...(typeof map === 'object' ? map : {}), [name]: value };
}

function logConfig(draft: ContainerDraft, change: { Type?: string; Config?: Record<string, string> }): void {
  const old = draft.HostConfig.LogConfig as { Type?: string; Config?: Record<string, string> } | undefined;
  const Config = { ...old?.Config, ...change.Config };
  draft.HostConfig.LogConfig = { Type: change.Type ?? old?.Type ?? '', Config };
}

function setEnvironment(draft: ContainerDraft, text: string): void {
  const [name, value] = pair(text, '=');
  if (name === '') throw new FlagValueError(`'${text}' has no name`);
  draft.environment.set(name, value);
}

/** `[ip:]host:container[/protocol]` or `container[/protocol]`. */
function publish(draft: ContainerDraft, text: string): void {
  const match = /^(?:(?:(.*):)?(\d*):)?(\d+)(\/(?:tcp|udp|sctp))?$/.exec(text);
  if (match?.[3] === undefined) throw new FlagValueError(`'${text}' is not [ip:]host:container[/protocol]`);
  bindPort(draft, `${match[3]}${match[4] ?? '/tcp'}`, { HostIp: match[1] ?? '', HostPort: match[2] ?? '' });
}

/** @param port `80/tcp` */
export function bindPort(draft: ContainerDraft, port: string, binding: { HostIp: string; HostPort: string }): void {
  const bindings = (draft.HostConfig.PortBindings ?? {}) as Record<string, unknown[]>;
  draft.HostConfig.PortBindings = { ...bindings, [port]: [...(bindings[port] ?? []), binding] };
  draft.ExposedPorts = { ...draft.ExposedPorts, [port]: {} };
}

function mount(text: string): Record<string, unknown> {
  const fields = new Map(text.split(',').map((part) => pair(part, '=')));
  const first = (...names: string[]) => names.map((name) => fields.get(name)).find((value) => value !== undefined);
  const target = first('target', 'dst', 'destination');
  if (target === undefined) throw new FlagValueError(`'${text}' has no target`);
  const readOnly = ['readonly', 'ro'].some((name) => fields.has(name) && bool(fields.get(name) ?? ''));
  const known = [
    'type',
    'source',
    'src',
    'target',
    'dst',
    'destination',
    'readonly',
    'ro',
    'bind-propagation',
    'tmpfs-size',
  ];
  const unknown = [...fields.keys()].find((name) => !known.includes(name));
  if (unknown !== undefined) throw new FlagValueError(`'${unknown}' is not known in mount`);
  const propagation = fields.get('bind-propagation');
  const size = fields.get('tmpfs-size');
  return {
    Type: fields.get('type') ?? 'volume',
    Source: first('source', 'src') ?? '',
    Target: target,
    ReadOnly: readOnly,
    ...(propagation === undefined ? {} : { BindOptions: { Propagation: propagation } }),
    ...(size === undefined ? {} : { TmpfsOptions: { SizeBytes: bytes(size) } }),
  };
}

/** `name=soft[:hard]` */
function ulimit(text: string): Record<string, unknown> {
  const [Name, limits] = pair(text, '=');
  const [soft, hard] = pair(limits, ':');
  return { Name, Soft: int(soft), Hard: int(hard === '' ? soft : hard) };
}

/** `host[:container][:permissions]` */
function device(text: string): Record<string, string> {
  const [onHost = '', second = '', third] = text.split(':');
  const onlyRights = third === undefined && /^[rwm]{1,3}$/.test(second);
  return {
    PathOnHost: onHost,
    PathInContainer: second === '' || onlyRights ? onHost : second,
    CgroupPermissions: third ?? (onlyRights ? second : 'rwm'),
  };
}

function gpus(text: string): Record<string, unknown> {
  const Count = text === 'all' ? -1 : int(text);
  return { Driver: '', Count, Capabilities: [['gpu']] };
}

function rate(text: string, parse: (value: string) => number): { Path: string; Rate: number } {
  const [Path, value] = pair(text, ':');
  return { Path, Rate: parse(value) };
}

/** Splits at the first separator; without one the second part is empty. */
function pair(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at === -1 ? [text, ''] : [text.slice(0, at), text.slice(at + separator.length)];
}

function bool(text: string): boolean {
  const value = text.toLowerCase();
  if (['', 'true', '1', 't'].includes(value)) return true;
  if (['false', '0', 'f'].includes(value)) return false;
  throw new FlagValueError(`'${text}' is not true or false`);
}

function number(text: string): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (!Number.isFinite(value)) throw new FlagValueError(`'${text}' is not a number`);
  return value;
}

function int(text: string): number {
  const value = number(text);
  if (!Number.isInteger(value)) throw new FlagValueError(`'${text}' is not a whole number`);
  return value;
}

const UNITS: Readonly<Record<string, number>> = { '': 1, b: 1, k: 1_024, m: 1_024 ** 2, g: 1_024 ** 3, t: 1_024 ** 4 };

/** Sizes as `docker run` writes them: 64m, 1.5g, 512 (bytes), 1GiB. */
function bytes(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([bkmgt]?)i?b?$/i.exec(text.trim());
  const unit = UNITS[(match?.[2] ?? '?').toLowerCase()];
  if (match?.[1] === undefined || unit === undefined) throw new FlagValueError(`'${text}' is not a size such as 64m`);
  return Math.floor(Number(match[1]) * unit);
}
