import type { Offer, Resource } from '../records/mesos';
import { reservationRoleOf } from '../records/resources';
import { agentFacts, type AgentFacts } from './constraints';
import type { PortRange } from './port-ranges';

export const SCALARS = ['cpus', 'mem', 'disk', 'gpus'] as const;
/** Thousandths, in the order of SCALARS: Mesos counts three decimals, and whole numbers add up without drift. */
export type Quantities = [cpus: number, mem: number, disk: number, gpus: number];

/** What an offer holds for one role: unreserved (`*`) or reserved. */
export interface RoleShare {
  readonly role: string;
  readonly free: Quantities;
  readonly ports: PortRange[];
}

/** What is left of one offer while instances are placed on it. Placing changes it in place. */
export interface OfferSlot {
  readonly offer: Offer;
  readonly agentId: string;
  /** Role the offer was made to. */
  readonly role: string;
  readonly facts: AgentFacts;
  /** What the agent can run (`docker`, `mesos`); undefined: not known, so anything goes. */
  readonly containerizers: readonly string[] | undefined;
  /** Reserved shares come first: they serve nobody else. */
  readonly shares: readonly RoleShare[];
}

export function thousandths(value: number): number {
  return Math.round(value * 1000);
}

/** @param known what the agent's record says beyond the offer */
export function slotOf(
  offer: Offer,
  known: { readonly region?: string; readonly zone?: string; readonly containerizers?: readonly string[] } = {},
): OfferSlot {
  return {
    offer,
    agentId: offer.agent_id.value,
    role: offer.allocation_info.role,
    facts: agentFacts({ ...domainOf(offer), ...known, hostname: offer.hostname, attributes: offer.attributes }),
    containerizers: known.containerizers?.length === 0 ? undefined : known.containerizers,
    shares: sharesOf(offer.resources),
  };
}

function domainOf(offer: Offer): { region?: string; zone?: string } {
  const domain = offer.domain as
    { fault_domain?: { region?: { name?: string }; zone?: { name?: string } } } | null | undefined;
  const region = domain?.fault_domain?.region?.name;
  const zone = domain?.fault_domain?.zone?.name;
  return { ...(region === undefined ? {} : { region }), ...(zone === undefined ? {} : { zone }) };
}

function sharesOf(resources: readonly Resource[]): RoleShare[] {
  const shares = new Map<string, RoleShare>();
  for (const resource of resources) {
    const role = reservationRoleOf(resource) ?? '*';
    const share = shares.get(role) ?? { role, free: [0, 0, 0, 0] as Quantities, ports: [] };
    shares.set(role, share);
    addResource(share, resource);
  }
  return [...shares.values()].sort((a, b) => Number(a.role === '*') - Number(b.role === '*'));
}

function addResource(share: RoleShare, resource: Resource): void {
  if (resource.name === 'ports') {
    for (const { begin, end } of resource.ranges?.range ?? []) share.ports.push([begin, end]);
    return;
  }
  const at = SCALARS.indexOf(resource.name as (typeof SCALARS)[number]);
  if (at !== -1) share.free[at] = (share.free[at] ?? 0) + thousandths(resource.scalar?.value ?? 0);
}
