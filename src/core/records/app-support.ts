import type { AppSpec } from './app';

/**
 * The one list of fields that are stored and given back but not acted upon by this release. Each row: the field, whether
 * the app uses it, and what does not happen. Faces answer the texts as warnings. Whoever makes a field work takes its row out.
 */
const NOT_ACTED_UPON: readonly {
  readonly field: string;
  readonly isUsed: (spec: AppSpec) => boolean;
  readonly effect: string;
}[] = [
  { field: 'gpus', isUsed: ({ gpus }) => gpus > 0, effect: 'agents offer no gpus yet: the app waits' },
  {
    field: 'container',
    isUsed: ({ container }) => container?.type !== 'DOCKER',
    effect: 'agents run Docker images only: a plain command or a MESOS container waits until an agent can run it',
  },
  {
    field: 'secrets',
    isUsed: ({ secrets, env }) =>
      Object.keys(secrets).length > 0 || Object.values(env).some((value) => typeof value !== 'string'),
    effect: 'secrets are not delivered to tasks yet',
  },
  { field: 'fetch', isUsed: ({ fetch }) => fetch.length > 0, effect: 'artifacts are not fetched yet' },
  {
    field: 'container.volumes.persistent',
    isUsed: (spec) => hasVolume(spec, 'persistent'),
    effect: 'persistent volumes are not created yet',
  },
  {
    field: 'container.volumes.external',
    isUsed: (spec) => hasVolume(spec, 'external'),
    effect: 'external volumes are not mounted yet',
  },
  {
    field: 'container.volumes.secret',
    isUsed: (spec) => hasVolume(spec, 'secret'),
    effect: 'secret volumes are not mounted yet',
  },
  {
    field: 'container.docker.pullConfig',
    isUsed: ({ container }) => container?.docker?.pullConfig !== undefined,
    effect: "the agent's own registry credentials are used",
  },
  { field: 'container.linuxInfo', isUsed: ({ container }) => container?.linuxInfo !== undefined, effect: 'ignored' },
  {
    field: 'executor',
    isUsed: ({ executor }) => executor !== '' && executor !== '//cmd',
    effect: 'custom executors are not started',
  },
  {
    field: 'executorResources',
    isUsed: ({ executorResources }) => executorResources !== undefined,
    effect: 'tasks have no executor that needs resources',
  },
  { field: 'check', isUsed: ({ check }) => check !== undefined, effect: 'the check is not run yet' },
  { field: 'tty', isUsed: ({ tty }) => tty === true, effect: 'no terminal is attached yet' },
  {
    field: 'residency',
    isUsed: ({ residency }) => residency !== undefined,
    effect: 'instances are not bound to an agent yet',
  },
  {
    field: 'healthChecks.ipProtocol',
    isUsed: ({ healthChecks }) => healthChecks.some(({ ipProtocol }) => ipProtocol === 'IPv6'),
    effect: 'checks use IPv4',
  },
];

function hasVolume(spec: AppSpec, kind: 'persistent' | 'external' | 'secret'): boolean {
  return (spec.container?.volumes ?? []).some((volume) => volume[kind] !== undefined);
}

/** One sentence per field of the app that is accepted but not acted upon: `fetch: artifacts are not fetched yet`. */
export function notActedUpon(spec: AppSpec): string[] {
  return NOT_ACTED_UPON.filter(({ isUsed }) => isUsed(spec)).map(({ field, effect }) => `${field}: ${effect}`);
}
