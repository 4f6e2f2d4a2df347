import { optional, toggle, withDefault, type FlagTable } from './flag';
import { attributes, resources } from './resource-values';
import { duration, endpoint, existingFile, host, listOf, LOG_LEVELS, name, oneOf, port, text } from './values';

const HOUR_MS = 3_600_000;

/** Containerizers that this release has; `mesos` (plain commands) comes later. */
export const CONTAINERIZERS = ['docker'] as const;

/** Flags of `berth agent`. Where a flag exists in Mesos it has the same name and meaning. */
export const AGENT_FLAGS = {
  master: withDefault(
    {
      group: 'Cluster',
      value: 'HOST:PORT[,…]',
      about: 'Mesos ports of the servers, any or all; https:// if they use TLS',
    },
    listOf(endpoint(5050)),
    '127.0.0.1:5050',
  ),
  masterCa: optional({ group: 'Cluster', value: 'FILE', about: 'CA certificate (PEM) of the servers' }, existingFile),
  cluster: withDefault(
    { group: 'Cluster', value: 'NAME', about: 'name of the cluster (label on containers)' },
    name,
    'berth',
  ),
  listen: withDefault(
    { group: 'Addresses', value: 'HOST', about: 'address to listen on; anything but loopback needs --token-file' },
    host,
    '127.0.0.1',
  ),
  port: withDefault({ group: 'Addresses', value: 'PORT', about: 'logs, sandboxes, metrics, health' }, port, '5051'),
  hostname: optional(
    {
      group: 'Addresses',
      value: 'NAME',
      about: "name under which tasks on this node are reached (default: the machine's)",
    },
    host,
  ),

  resources: optional(
    { group: 'Node', value: 'TEXT', about: 'e.g. cpus:4;mem:8192;ports:[31000-32000]; what is absent is measured' },
    resources,
  ),
  attributes: optional({ group: 'Node', value: 'TEXT', about: 'e.g. rack:a;level:10; for constraints' }, attributes),
  region: optional({ group: 'Node', value: 'NAME', about: 'fault domain: region' }, text),
  zone: optional({ group: 'Node', value: 'NAME', about: 'fault domain: zone' }, text),
  containerizers: withDefault(
    { group: 'Node', value: 'LIST', about: `how tasks run, in order of preference: ${CONTAINERIZERS.join(', ')}` },
    listOf(oneOf(CONTAINERIZERS)),
    'docker',
  ),
  dockerSocket: withDefault({ group: 'Node', value: 'PATH', about: "Docker's socket" }, text, '/var/run/docker.sock'),
  dockerConfig: optional(
    { group: 'Node', value: 'FILE', about: 'config.json with registry logins (as `docker login` writes it)' },
    existingFile,
  ),

  tokenFile: optional(
    { group: 'Security', value: 'FILE', about: 'secret that callers must show and that the servers are shown' },
    existingFile,
  ),
  insecureNoAuth: toggle({ group: 'Security', about: 'let anybody who can reach the port read logs and sandboxes' }),
  tlsCert: optional({ group: 'Security', value: 'FILE', about: "certificate (PEM) of the agent's port" }, existingFile),
  tlsKey: optional({ group: 'Security', value: 'FILE', about: 'key (PEM) of --tls-cert' }, existingFile),

  workDir: withDefault(
    { group: 'Files and logs', value: 'FOLDER', about: 'checkpoints and sandboxes' },
    text,
    '/var/lib/berth/agent',
  ),
  gcDelay: withDefault(
    {
      group: 'Files and logs',
      value: 'DURATION',
      about: 'sandboxes of ended tasks are removed after it, sooner on a disk that fills up',
    },
    duration(0, 10 * 365 * 24 * HOUR_MS),
    '1weeks',
  ),
  logLevel: withDefault(
    { group: 'Files and logs', value: 'LEVEL', about: LOG_LEVELS.join(', ') },
    oneOf(LOG_LEVELS),
    'info',
  ),
} as const satisfies FlagTable;
