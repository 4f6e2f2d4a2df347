import { InvalidError, type Violation } from '../../core/errors';
import type { AppSpec, AppSpecInput } from '../../core/records/app';
import { decode } from './decode';
import { resolveId } from './ids';
import type { JsonObject } from './json';
import { networkPart } from './networks';
import { wireAppSchema, type WireApp } from './wire-schema';

/** The fields of a definition that a body sets, in today's canonical form. */
export type AppPatch = Partial<AppSpecInput>;

export interface AppWire {
  /** Absolute; absent if the body names none. */
  readonly id?: string;
  /** As sent: for roll-backs. */
  readonly version?: string;
  readonly patch: AppPatch;
  /** Names of the fields that were sent (not null), to tell what an update is about. */
  readonly sent: ReadonlySet<string>;
  readonly unknown: readonly string[];
}

/**
 * Reads an app or an update of one, in the wire form of any Marathon version. Throws InvalidError: `Invalid JSON` with decoder
 * codes for wrong types, `Object is not valid` for parts that cannot stand beside each other. Everything that needs the whole
 * definition is checked later, by the group manager.
 * @param prefix path of the app in the body: `` or `(2)`
 */
export function readApp(raw: JsonObject, prefix = ''): AppWire {
  const { value: wire, unknown } = decode(wireAppSchema, raw, prefix);
  const violations: Violation[] = [];
  const patch = patchOf(wire, violations);
  const id = wire.id === undefined ? undefined : resolveId(wire.id);
  if (id === '/') violations.push({ path: '/id', message: 'Path must contain at least one path element' });
  if (violations.length > 0)
    throw new InvalidError(violations.map(({ path, message }) => ({ path: prefixed(prefix, path), message })));
  return {
    ...(id === undefined ? {} : { id }),
    ...(wire.version === undefined ? {} : { version: wire.version }),
    patch,
    sent: new Set(Object.keys(raw)),
    unknown,
  };
}

function prefixed(prefix: string, path: string): string {
  return path === '/' && prefix !== '' ? prefix : prefix + path;
}

/** Fields whose form has never changed. */
const SAME = [
  'cmd',
  'args',
  'user',
  'instances',
  'cpus',
  'mem',
  'disk',
  'gpus',
  'resourceLimits',
  'env',
  'secrets',
  'labels',
  'requirePorts',
  'acceptedResourceRoles',
  'role',
  'healthChecks',
  'check',
  'readinessChecks',
  'upgradeStrategy',
  'backoffSeconds',
  'backoffFactor',
  'maxLaunchDelaySeconds',
  'taskKillGracePeriodSeconds',
  'killSelection',
  'unreachableStrategy',
  'residency',
  'executor',
  'executorResources',
  'tty',
] as const satisfies readonly (keyof WireApp)[];

function patchOf(wire: WireApp, violations: Violation[]): AppPatch {
  const same: AppPatch = Object.fromEntries(
    SAME.filter((field) => wire[field] !== undefined).map((field) => [field, wire[field]]),
  );
  const { container, networks } = networkPart(wire, violations);
  const fetch = fetchOf(wire, violations);
  const portDefinitions = portDefinitionsOf(wire, violations);
  return {
    ...same,
    ...(container === undefined ? {} : { container }),
    ...(networks === undefined ? {} : { networks }),
    ...(fetch === undefined ? {} : { fetch }),
    ...(portDefinitions === undefined ? {} : { portDefinitions }),
    ...(wire.constraints === undefined ? {} : { constraints: constraintsOf(wire.constraints, violations) }),
    ...(wire.dependencies === undefined ? {} : { dependencies: wire.dependencies.map((id) => resolveId(id)) }),
  };
}

const ARCHIVES = ['.tar', '.tar.gz', '.tar.bz2', '.tar.xz', '.gz', '.tgz', '.tbz2', '.txz', '.zip'];

/** `uris` (Marathon before 0.15): archives, known by their suffix, are unpacked. */
function fetchOf({ fetch, uris }: WireApp, violations: Violation[]): AppPatch['fetch'] {
  if (uris === undefined || (uris.length === 0 && fetch !== undefined)) return fetch;
  if (fetch !== undefined && fetch.length > 0) {
    const same = uris.length === fetch.length && uris.every((uri, i) => uri === fetch[i]?.uri);
    // Marathon 0.15 to 1.4 printed both, so a client that sends back what it got sends both.
    if (!same) violations.push({ path: '/uris', message: 'may not be set in conjunction with fetch' });
    return fetch;
  }
  return uris.map((uri) => ({ uri, extract: ARCHIVES.some((suffix) => uri.endsWith(suffix)) }));
}

/** `ports` (Marathon before 1.0), which 1.0 to 1.4 printed beside portDefinitions. */
function portDefinitionsOf({ ports, portDefinitions }: WireApp, violations: Violation[]): AppPatch['portDefinitions'] {
  if (ports === undefined) return portDefinitions;
  if (portDefinitions === undefined) {
    const fixed = ports.filter((port) => port !== 0);
    if (new Set(fixed).size !== fixed.length) violations.push({ path: '/ports', message: 'ports must be unique' });
    return ports.map((port) => ({ port }));
  }
  const agree =
    ports.length === portDefinitions.length && ports.every((port, i) => port === (portDefinitions[i]?.port ?? 0));
  if (ports.length > 0 && !agree)
    violations.push({ path: '/', message: 'cannot specify both ports and port definitions' });
  return portDefinitions;
}

/** Numbers as text; a null at the end is a value that is not there. */
function constraintsOf(constraints: NonNullable<WireApp['constraints']>, violations: Violation[]): string[][] {
  return constraints.map((fields, i) => {
    const given = fields.at(-1) === null ? fields.slice(0, -1) : fields;
    if (given.includes(null))
      violations.push({ path: `/constraints(${i})`, message: 'illegal constraint specification' });
    return given.map(String);
  });
}

/** The definition after an update: fields replace as a whole, what was not sent stays. */
export function merged(stored: AppSpec, patch: AppPatch): AppSpecInput {
  const { version: _version, versionInfo: _versionInfo, ...kept } = stored;
  const modeChanges = patch.networks !== undefined && hostOf(patch.networks) !== hostOf(kept.networks);
  // Ports of the former network mode mean nothing in the new one, unless the update says them itself.
  if (modeChanges && patch.portDefinitions === undefined) delete kept.portDefinitions;
  return { ...kept, ...patch };
}

function hostOf(networks: NonNullable<AppSpecInput['networks']>): boolean {
  return networks.some((network) => network.mode === 'host');
}
