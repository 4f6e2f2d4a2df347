import type { Random } from '../ports/random';
import type { AppSpec } from '../records/app';
import type { Resource } from '../records/mesos';
import { parseConstraints, type Constraint } from './constraints';
import { SCALARS, thousandths, type OfferSlot, type Quantities, type RoleShare } from './offer-slot';
import type { PlacementIndex } from './placement-index';
import { hasPort, takePort, takeRandomPort } from './port-ranges';
import type { Reason } from './reasons';

/** A number: this host port; `any`: one of the offer's; `none`: no host port. */
export type PortWish = number | 'any' | 'none';

/** What one instance of an app asks of an agent; made once per app version. */
export interface LaunchRequest {
  readonly need: Quantities;
  readonly ports: readonly PortWish[];
  /** The role whose offers are used. */
  readonly role: string;
  /** Reservations that may be used; undefined: unreserved ones and those of `role`. */
  readonly acceptedRoles: ReadonlySet<string> | undefined;
  /** What must be there to run it: `docker` or `mesos`. */
  readonly containerizer: string;
  readonly constraints: readonly Constraint[];
}

export function launchRequest(spec: AppSpec): LaunchRequest {
  return {
    need: [thousandths(spec.cpus), thousandths(spec.mem), thousandths(spec.disk), thousandths(spec.gpus)],
    ports: portWishes(spec),
    role: spec.role,
    acceptedRoles: spec.acceptedResourceRoles === undefined ? undefined : new Set(spec.acceptedResourceRoles),
    containerizer: spec.container?.type === 'DOCKER' ? 'docker' : 'mesos',
    constraints: parseConstraints(spec.constraints),
  };
}

/** Host ports in the order of PORT0, PORT1 …: of portDefinitions with host networking, of portMappings otherwise. */
export function portWishes(spec: AppSpec): PortWish[] {
  const mode = spec.networks[0]?.mode ?? 'host';
  if (mode === 'host') {
    return (spec.portDefinitions ?? []).map(({ port }) => (spec.requirePorts && port !== 0 ? port : 'any'));
  }
  return (spec.container?.portMappings ?? []).map(({ hostPort }) => {
    if (hostPort === undefined) return mode === 'container/bridge' ? 'any' : 'none';
    return hostPort === 0 ? 'any' : hostPort;
  });
}

export interface Match {
  /** For TaskInfo.resources; each with the role it came from. */
  readonly resources: readonly Resource[];
  /** One per port wish; undefined where none was wished. */
  readonly hostPorts: readonly (number | undefined)[];
}

/** Every reason why one instance does not fit into what is left of the offer, in funnel order; empty: it fits. */
export function refusals(request: LaunchRequest, index: PlacementIndex, slot: OfferSlot): Reason[] {
  const reasons: Reason[] = [];
  const shares = usableShares(request, slot);
  if (slot.role !== request.role || shares.length === 0) reasons.push('UnfulfilledRole');
  if (!canRun(request, slot) || !index.allows(slot.facts)) reasons.push('UnfulfilledConstraint');
  const lacking: readonly Reason[] = ['InsufficientCpus', 'InsufficientMemory', 'InsufficientDisk', 'InsufficientGpus'];
  lacking.forEach((reason, scalar) => {
    if (total(shares, scalar) < (request.need[scalar] ?? 0)) reasons.push(reason);
  });
  if (!hasPorts(request.ports, shares)) reasons.push('InsufficientPorts');
  return reasons;
}

/** Whether it fits; the same answer as `refusals(…).length === 0` without building the list. */
export function fits(request: LaunchRequest, index: PlacementIndex, slot: OfferSlot): boolean {
  const shares = usableShares(request, slot);
  if (slot.role !== request.role || shares.length === 0) return false;
  for (let scalar = 0; scalar < SCALARS.length; scalar++) {
    if (total(shares, scalar) < (request.need[scalar] ?? 0)) return false;
  }
  return canRun(request, slot) && hasPorts(request.ports, shares) && index.allows(slot.facts);
}

/** Takes what the instance needs out of the slot; call it only when it fits. */
export function take(request: LaunchRequest, slot: OfferSlot, random: Random): Match {
  const shares = usableShares(request, slot);
  const resources: Resource[] = [];
  SCALARS.forEach((name, scalar) => takeScalar(name, scalar, request.need[scalar] ?? 0, shares, resources));
  return { resources, hostPorts: takePorts(request.ports, shares, random, resources) };
}

export type Verdict = { readonly fits: true; readonly match: Match } | { readonly fits: false; readonly why: Reason[] };

/** Places one instance on one offer, or says why not. On success `slot` has less left and `index` counts the instance. */
export function match(
  request: LaunchRequest,
  index: PlacementIndex,
  slot: OfferSlot,
  instanceId: string,
  random: Random,
): Verdict {
  const why = refusals(request, index, slot);
  if (why.length > 0) return { fits: false, why };
  index.place(instanceId, slot.facts);
  return { fits: true, match: take(request, slot, random) };
}

function canRun(request: LaunchRequest, slot: OfferSlot): boolean {
  return slot.containerizers === undefined || slot.containerizers.includes(request.containerizer);
}

function usableShares(request: LaunchRequest, slot: OfferSlot): readonly RoleShare[] {
  const { acceptedRoles } = request;
  if (acceptedRoles === undefined) return slot.shares;
  return slot.shares.filter((share) => acceptedRoles.has(share.role));
}

function total(shares: readonly RoleShare[], scalar: number): number {
  let sum = 0;
  for (const share of shares) sum += share.free[scalar] ?? 0;
  return sum;
}

function hasPorts(wishes: readonly PortWish[], shares: readonly RoleShare[]): boolean {
  if (wishes.length === 0) return true;
  if (wishes.every((wish) => wish === 'any')) return enoughPorts(shares, wishes.length);
  let wanted = 0;
  const fixed = new Set<number>();
  for (const wish of wishes) {
    if (wish === 'any') wanted++;
    else if (wish !== 'none') fixed.add(wish);
  }
  if (wanted === 0 && fixed.size === 0) return true;
  for (const port of fixed) if (!shares.some((share) => hasPort(share.ports, port))) return false;
  return enoughPorts(shares, wanted + fixed.size);
}

function enoughPorts(shares: readonly RoleShare[], wanted: number): boolean {
  let found = 0;
  for (const share of shares) {
    for (const [begin, end] of share.ports) {
      found += end - begin + 1;
      if (found >= wanted) return true;
    }
  }
  return found >= wanted;
}

function takeScalar(name: string, scalar: number, need: number, shares: readonly RoleShare[], into: Resource[]): void {
  let left = need;
  for (const share of shares) {
    if (left <= 0) return;
    const part = Math.min(left, share.free[scalar] ?? 0);
    if (part <= 0) continue;
    share.free[scalar] = (share.free[scalar] ?? 0) - part;
    left -= part;
    into.push({ name, type: 'SCALAR', scalar: { value: part / 1000 }, role: share.role });
  }
}

/** Fixed ports first, so that a random one never takes a port that was asked for by number. */
function takePorts(
  wishes: readonly PortWish[],
  shares: readonly RoleShare[],
  random: Random,
  into: Resource[],
): (number | undefined)[] {
  if (wishes.length === 0) return [];
  const ports: (number | undefined)[] = wishes.map((wish) => (typeof wish === 'number' ? wish : undefined));
  const takenFrom: { readonly share: RoleShare; readonly port: number }[] = [];
  for (const port of ports) {
    if (port === undefined || takenFrom.some((taken) => taken.port === port)) continue;
    const share = shares.find((candidate) => hasPort(candidate.ports, port));
    if (share === undefined) continue;
    takePort(share.ports, port);
    takenFrom.push({ share, port });
  }
  for (let at = 0; at < wishes.length; at++) {
    if (wishes[at] !== 'any') continue;
    const share = shares.find((candidate) => candidate.ports.length > 0);
    const port = share === undefined ? undefined : takeRandomPort(share.ports, random);
    if (share === undefined || port === undefined) continue;
    ports[at] = port;
    takenFrom.push({ share, port });
  }
  for (const share of shares) {
    const taken = takenFrom.filter((entry) => entry.share === share).map(({ port }) => port);
    if (taken.length > 0) into.push(portsResource(share.role, taken));
  }
  return ports;
}

function portsResource(role: string, ports: readonly number[]): Resource {
  const sorted = ports.length < 2 ? ports : [...ports].sort((a, b) => a - b);
  return { name: 'ports', type: 'RANGES', ranges: { range: sorted.map((port) => ({ begin: port, end: port })) }, role };
}
