import { ETCD_FLAGS } from './etcd-flags';
import { optional, toggle, withDefault, type FlagTable } from './flag';
import { count, duration, existingFile, host, LOG_LEVELS, name, oneOf, port, text } from './values';

const SECOND_MS = 1_000;
const DAY_MS = 86_400_000;

/** Flags of `berth server`. Where a flag exists in Mesos or Marathon it has the same name and meaning. */
export const SERVER_FLAGS = {
  listen: withDefault(
    { group: 'Addresses', value: 'HOST', about: 'address to listen on; anything but loopback needs --token-file' },
    host,
    '127.0.0.1',
  ),
  marathonPort: withDefault(
    { group: 'Addresses', value: 'PORT', about: 'Marathon API, metrics, health' },
    port,
    '8080',
  ),
  mesosPort: withDefault({ group: 'Addresses', value: 'PORT', about: 'Mesos API; agents connect here' }, port, '5050'),
  kubePort: withDefault({ group: 'Addresses', value: 'PORT', about: 'Kubernetes API (TLS)' }, port, '8443'),
  hostname: optional(
    { group: 'Addresses', value: 'NAME', about: "name of this server in answers (default: the machine's)" },
    host,
  ),
  advertiseAddress: optional(
    { group: 'Addresses', value: 'HOST', about: 'where other servers and agents reach this one (default: --listen)' },
    host,
  ),

  ...ETCD_FLAGS,
  leaderTtl: withDefault(
    { group: 'etcd', value: 'DURATION', about: "life of the leader's lease: a dead leader is replaced after it" },
    duration(2 * SECOND_MS, 300 * SECOND_MS),
    '3secs',
  ),

  tokenFile: optional(
    { group: 'Security', value: 'FILE', about: 'secret that callers and agents must show' },
    existingFile,
  ),
  insecureNoAuth: toggle({ group: 'Security', about: 'let anybody who can reach the ports do anything' }),
  tlsCert: optional(
    { group: 'Security', value: 'FILE', about: 'certificate (PEM) of the Marathon and Mesos ports' },
    existingFile,
  ),
  tlsKey: optional({ group: 'Security', value: 'FILE', about: 'key (PEM) of --tls-cert' }, existingFile),
  tlsCa: optional(
    {
      group: 'Security',
      value: 'FILE',
      about:
        "authority (PEM) of the other servers' --tls-cert (default: the public ones and that of the Kubernetes port)",
    },
    existingFile,
  ),

  dataDir: withDefault(
    { group: 'Files and logs', value: 'FOLDER', about: 'CA, certificates and kubeconfig of this server' },
    text,
    '/var/lib/berth/server',
  ),
  kubeconfig: optional(
    { group: 'Files and logs', value: 'FILE', about: 'where to write a kubeconfig (default: in --data-dir)' },
    text,
  ),
  cluster: withDefault({ group: 'Files and logs', value: 'NAME', about: 'name of the cluster' }, name, 'berth'),
  logLevel: withDefault(
    { group: 'Files and logs', value: 'LEVEL', about: LOG_LEVELS.join(', ') },
    oneOf(LOG_LEVELS),
    'info',
  ),

  agentPingTimeout: withDefault(
    { group: 'Agents and offers', value: 'DURATION', about: 'an agent must answer a ping within it (Mesos: 15secs)' },
    duration(100, DAY_MS),
    '3secs',
  ),
  maxAgentPingTimeouts: withDefault(
    { group: 'Agents and offers', value: 'N', about: 'so many missed pings make an agent unreachable' },
    count(1, 1_000),
    '5',
  ),
  agentReregisterTimeout: withDefault(
    { group: 'Agents and offers', value: 'DURATION', about: 'time for agents to come back to a new leader' },
    duration(SECOND_MS, 7 * DAY_MS),
    '75secs',
  ),
  offerTimeout: withDefault(
    { group: 'Agents and offers', value: 'DURATION', about: 'an unanswered offer is taken back after it' },
    duration(100, DAY_MS),
    '30secs',
  ),

  localPortMin: withDefault(
    { group: 'Apps', value: 'PORT', about: 'first service port given to apps that ask for 0' },
    count(1, 65_535),
    '10000',
  ),
  localPortMax: withDefault(
    { group: 'Apps', value: 'PORT', about: 'last service port given to apps that ask for 0' },
    count(1, 65_535),
    '20000',
  ),
  taskLaunchTimeout: withDefault(
    { group: 'Apps', value: 'DURATION', about: 'a task that has not started after it is killed and started elsewhere' },
    duration(SECOND_MS, DAY_MS),
    '5mins',
  ),
} as const satisfies FlagTable;
