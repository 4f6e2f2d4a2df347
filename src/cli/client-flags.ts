import { optional, toggle, withDefault, type FlagTable } from './flag';
import { resources } from './resource-values';
import { count, duration, existingFile, port, text } from './values';

const connection = {
  url: optional(
    {
      group: 'Cluster',
      value: 'URL',
      about: 'Marathon API of a server [the cluster of `berth up`, or http://127.0.0.1:8080]',
    },
    httpUrl,
  ),
  tokenFile: optional({ group: 'Cluster', value: 'FILE', about: 'secret of the cluster' }, existingFile),
};

const stateDir = {
  stateDir: withDefault(
    { group: 'Files', value: 'FOLDER', about: 'where `berth up` keeps data, logs and process ids' },
    text,
    '.berth',
  ),
};

/** Flags of commands that talk to a cluster. */
export const CLIENT_FLAGS = {
  ...connection,
  ...stateDir,
  json: toggle({ group: 'Output', about: 'print JSON, for programs' }),
} as const satisfies FlagTable;

export const LOGS_FLAGS = {
  ...connection,
  ...stateDir,
  follow: toggle({ group: 'Output', about: 'go on printing what is written, until Ctrl-C', letter: 'f' }),
  tail: optional(
    { group: 'Output', value: 'N', about: 'start with the last N lines of each instance [all]' },
    count(0, 1_000_000),
  ),
  stderr: toggle({ group: 'Output', about: 'the error output instead of the output' }),
} as const satisfies FlagTable;

export const UP_FLAGS = {
  ...stateDir,
  marathonPort: optional({ group: 'Ports', value: 'PORT', about: 'Marathon API [8080]' }, realPort),
  mesosPort: optional({ group: 'Ports', value: 'PORT', about: 'Mesos API [5050]' }, realPort),
  kubePort: optional({ group: 'Ports', value: 'PORT', about: 'Kubernetes API [8443]' }, realPort),
  agentPort: optional({ group: 'Ports', value: 'PORT', about: 'the agent [5051]' }, realPort),
  etcdPort: optional({ group: 'Ports', value: 'PORT', about: 'etcd [2379; when that is taken, a free one]' }, realPort),
  dockerSocket: optional(
    { group: 'Docker', value: 'PATH', about: "Docker's socket [DOCKER_HOST, or /var/run/docker.sock]" },
    text,
  ),
  resources: optional(
    { group: 'Docker', value: 'TEXT', about: 'what the agent offers, e.g. cpus:4;mem:8192;ports:[31000-32000]' },
    checkedResources,
  ),
  sample: withDefault(
    { group: 'Sample app', value: 'true|false', about: 'deploy deploy/examples/hello.json and wait until it answers' },
    trueOrFalse,
    'true',
  ),
  timeout: withDefault(
    { group: 'Sample app', value: 'DURATION', about: 'how long to wait for each step' },
    duration(1_000, 3_600_000),
    '2mins',
  ),
} as const satisfies FlagTable;

export const DOWN_FLAGS = {
  ...stateDir,
  wipe: toggle({ group: 'Files', about: 'remove the data too' }),
} as const satisfies FlagTable;

/** 0 would be another port after every start. */
function realPort(value: string): number {
  const number = port(value);
  if (number === 0) throw new Error('must be a port from 1 to 65535');
  return number;
}

function httpUrl(value: string): string {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:'))
    throw new Error('must be a URL such as http://127.0.0.1:8080');
  return url.href.replace(/\/+$/, '');
}

/** Handed on to the agent as it is; checked here so that the mistake is seen before anything starts. */
function checkedResources(value: string): string {
  resources(value);
  return value;
}

function trueOrFalse(value: string): boolean {
  if (value === 'true' || value === 'false') return value === 'true';
  throw new Error('must be true or false');
}
