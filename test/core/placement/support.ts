import { parseConstraints } from '../../../src/core/placement/constraints';
import type { LaunchRequest } from '../../../src/core/placement/match';
import { slotOf, type OfferSlot } from '../../../src/core/placement/offer-slot';
import type { Offer, Resource } from '../../../src/core/records/mesos';

export interface OfferScript {
  readonly host?: string;
  readonly cpus?: number;
  readonly mem?: number;
  readonly ports?: readonly (readonly [number, number])[];
  readonly attributes?: Readonly<Record<string, string | number>>;
  readonly role?: string;
  readonly reservedFor?: string;
  readonly reservedCpus?: number;
  readonly containerizers?: readonly string[];
}

export function offer(id: string, script: OfferScript = {}): Offer {
  const scalar = (name: string, value: number, role?: string): Resource => ({
    name,
    type: 'SCALAR',
    scalar: { value },
    ...(role === undefined ? {} : { role }),
  });
  const range = (script.ports ?? [[31_000, 31_999]]).map(([begin, end]) => ({ begin, end }));
  return {
    id: { value: id },
    framework_id: { value: 'f' },
    agent_id: { value: id },
    hostname: script.host ?? id,
    resources: [
      scalar('cpus', script.cpus ?? 4),
      scalar('mem', script.mem ?? 4096),
      scalar('disk', 1_000),
      { name: 'ports', type: 'RANGES', ranges: { range } },
      ...(script.reservedFor === undefined ? [] : [scalar('cpus', script.reservedCpus ?? 1, script.reservedFor)]),
    ],
    attributes: Object.entries(script.attributes ?? {}).map(([name, value]) =>
      typeof value === 'number' ? { name, type: 'SCALAR', scalar: { value } } : { name, type: 'TEXT', text: { value } },
    ),
    allocation_info: { role: script.role ?? '*' },
  };
}

export function slot(id: string, script: OfferScript = {}): OfferSlot {
  return slotOf(
    offer(id, script),
    script.containerizers === undefined ? {} : { containerizers: script.containerizers },
  );
}

export function request(more: Partial<LaunchRequest> & { constraintRows?: string[][] } = {}): LaunchRequest {
  const { constraintRows = [], ...rest } = more;
  return {
    need: [1_000, 128_000, 0, 0],
    ports: [],
    role: '*',
    acceptedRoles: undefined,
    containerizer: 'docker',
    constraints: parseConstraints(constraintRows),
    ...rest,
  };
}
