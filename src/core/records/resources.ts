import type { Resource } from './mesos';
import {
  addRanges,
  containsRanges,
  normalizeRanges,
  rangePairs,
  subtractRanges,
  type FlatRanges,
} from './resource-ranges';
import { formatRanges, reservationRoleOf } from './resource-text';

export { attributeText, formatRanges, formatResources, parseAttributes, parseResources } from './resource-text';
export { reservationRoleOf } from './resource-text';

/**
 * Arithmetic on Mesos resources. Scalars have three decimals and are computed in integer thousandths, so that
 * 0.1 + 0.2 is 0.3 (Mesos: fixed point). Two resources can be added only if they agree in name, type, reservation and every
 * other mark (disk, revocable, shared …); `allocation_info` says who uses a resource, not what it is, and is left out.
 */

export function toThousandths(value: number): number {
  return Math.round(value * 1000);
}

export function fromThousandths(thousandths: number): number {
  return thousandths / 1000;
}

/** An amount in base units, for metrics: Mesos counts memory and disk in MiB. @param amount not in thousandths */
export function baseAmount(name: string, amount: number): number {
  return name === 'mem' || name === 'disk' ? amount * 1024 * 1024 : amount;
}

/** One kind of resource in a bag. Exactly one of the three amounts is meaningful, as `type` says. */
export interface BagEntry {
  readonly name: string;
  readonly type: Resource['type'];
  /** The role it is reserved for; undefined: unreserved. */
  readonly role: string | undefined;
  readonly revocable: boolean;
  readonly shared: boolean;
  /** The resource with everything but its amount, if it carries more than name, type and role. */
  readonly template: Resource | undefined;
  /** Thousandths. */
  readonly amount: number;
  readonly ranges: FlatRanges;
  readonly items: readonly string[];
}

const NO_RANGES: FlatRanges = [];
const NO_ITEMS: readonly string[] = [];
/** Stands where an index is known to be right and the type cannot say so. */
const NOTHING: BagEntry = {
  name: '',
  type: 'SCALAR',
  role: undefined,
  revocable: false,
  shared: false,
  template: undefined,
  amount: 0,
  ranges: NO_RANGES,
  items: NO_ITEMS,
};

/**
 * An amount of resources in compact form. Immutable: every operation gives a new bag (or one of its operands). Never holds an
 * empty entry, so `isEmpty` means what it says. Bags are short, so entries are found by looking at each.
 */
export class ResourceBag {
  static readonly empty = new ResourceBag([], []);

  private constructor(
    private readonly keys: readonly string[],
    private readonly list: readonly BagEntry[],
  ) {}

  /** Merges equal kinds; negative and empty amounts vanish. */
  static of(resources: readonly Resource[]): ResourceBag {
    const keys: string[] = [];
    const list: BagEntry[] = [];
    for (const resource of resources) {
      const entry = entryOf(resource);
      if (!isNothing(entry)) put(keys, list, keyOf(resource, entry), entry);
    }
    return new ResourceBag(keys, list);
  }

  get isEmpty(): boolean {
    return this.list.length === 0;
  }

  entries(): readonly BagEntry[] {
    return this.list;
  }

  /** Sum of a scalar over all reservations, in thousandths. */
  scalar(name: string): number {
    let sum = 0;
    for (const entry of this.list) if (entry.name === name) sum += entry.amount;
    return sum;
  }

  /** All ranges of this name over all reservations. */
  ranges(name: string): FlatRanges {
    let ranges = NO_RANGES;
    for (const entry of this.list) if (entry.name === name) ranges = addRanges(ranges, entry.ranges);
    return ranges;
  }

  plus(other: ResourceBag): ResourceBag {
    if (other.isEmpty) return this;
    if (this.isEmpty) return other;
    const keys = this.keys.slice();
    const list = this.list.slice();
    for (let i = 0; i < other.list.length; i++) put(keys, list, other.keys[i] ?? '', other.list[i] ?? NOTHING);
    return new ResourceBag(keys, list);
  }

  /** What is left; what `other` has too much is ignored (nothing goes below zero). */
  minus(other: ResourceBag): ResourceBag {
    if (other.isEmpty || this.isEmpty) return this;
    if (other === this) return ResourceBag.empty;
    const keys: string[] = [];
    const list: BagEntry[] = [];
    for (let i = 0; i < this.list.length; i++) {
      const key = this.keys[i] ?? '';
      const entry = this.list[i] ?? NOTHING;
      const taken = other.find(key, i);
      const rest = taken === undefined ? entry : minus(entry, taken);
      if (isNothing(rest)) continue;
      keys.push(key);
      list.push(rest);
    }
    return list.length === 0 ? ResourceBag.empty : new ResourceBag(keys, list);
  }

  contains(other: ResourceBag): boolean {
    if (other === this) return true;
    for (let i = 0; i < other.list.length; i++) {
      const present = this.find(other.keys[i] ?? '', i);
      if (present === undefined || !covers(present, other.list[i] ?? NOTHING)) return false;
    }
    return true;
  }

  filter(keep: (entry: BagEntry) => boolean): ResourceBag {
    const keys: string[] = [];
    const list: BagEntry[] = [];
    for (let i = 0; i < this.list.length; i++) {
      const entry = this.list[i] ?? NOTHING;
      if (!keep(entry)) continue;
      keys.push(this.keys[i] ?? '');
      list.push(entry);
    }
    return list.length === this.list.length ? this : new ResourceBag(keys, list);
  }

  /** Lowers scalars: `limit` gives the new amount in thousandths for each entry (never raised). Others stay. */
  cutScalars(limit: (entry: BagEntry) => number): ResourceBag {
    const keys: string[] = [];
    const list: BagEntry[] = [];
    for (let i = 0; i < this.list.length; i++) {
      const entry = this.list[i] ?? NOTHING;
      const amount = entry.type === 'SCALAR' ? Math.min(entry.amount, Math.max(0, limit(entry))) : entry.amount;
      const cut = amount === entry.amount ? entry : { ...entry, amount };
      if (isNothing(cut)) continue;
      keys.push(this.keys[i] ?? '');
      list.push(cut);
    }
    return new ResourceBag(keys, list);
  }

  /** Back to Mesos' form, in the order of insertion; with `allocatedRole` each carries `allocation_info`. */
  toResources(allocatedRole?: string): Resource[] {
    return this.list.map((entry) => resourceOf(entry, allocatedRole));
  }

  /** @param hint where it is if both bags were made alike */
  private find(key: string, hint: number): BagEntry | undefined {
    if (this.keys[hint] === key) return this.list[hint];
    const index = this.keys.indexOf(key);
    return index === -1 ? undefined : this.list[index];
  }
}

function put(keys: string[], list: BagEntry[], key: string, entry: BagEntry): void {
  const index = keys.indexOf(key);
  const present = list[index];
  if (present !== undefined) return void (list[index] = plus(present, entry));
  keys.push(key);
  list.push(entry);
}

/** Total of a scalar resource over all reservations, rounded to thousandths. */
export function scalarOf(resources: readonly Resource[], name: string): number {
  let sum = 0;
  for (const resource of resources) {
    if (resource.name === name && resource.type === 'SCALAR') sum += toThousandths(resource.scalar?.value ?? 0);
  }
  return fromThousandths(sum);
}

export function addResources(a: readonly Resource[], b: readonly Resource[]): Resource[] {
  return ResourceBag.of(a).plus(ResourceBag.of(b)).toResources();
}

/** What is left of `a`; nothing goes below zero. */
export function subtractResources(a: readonly Resource[], b: readonly Resource[]): Resource[] {
  return ResourceBag.of(a).minus(ResourceBag.of(b)).toResources();
}

export function containsResources(a: readonly Resource[], b: readonly Resource[]): boolean {
  return ResourceBag.of(a).contains(ResourceBag.of(b));
}

/** The port ranges over all reservations, merged. */
export function portRanges(resources: readonly Resource[]): { begin: number; end: number }[] {
  return rangePairs(ResourceBag.of(resources).ranges('ports'));
}

export function unreservedOf(resources: readonly Resource[]): Resource[] {
  return resources.filter((resource) => reservationRoleOf(resource) === undefined);
}

/** Whether what is reserved for `reservedFor` may be used by `role`: its own, or an ancestor's. */
export function mayUse(role: string, reservedFor: string | undefined): boolean {
  return reservedFor === undefined || reservedFor === role || role.startsWith(`${reservedFor}/`);
}

/** Unreserved, or reserved for the role or one of its ancestors. */
export function usableBy(resources: readonly Resource[], role: string): Resource[] {
  return resources.filter((resource) => mayUse(role, reservationRoleOf(resource)));
}

/** Marks every resource as allocated to the role (Mesos: allocation_info). */
export function allocatedTo(resources: readonly Resource[], role: string): Resource[] {
  return resources.map((resource) => ({ ...resource, allocation_info: { role } }));
}

/** Resources as `/state` shows them: cpus, gpus, mem, disk always; ranges and sets as text. */
export type ResourceSummary = Readonly<Record<string, number | string>>;

export function resourceSummary(resources: readonly Resource[]): ResourceSummary {
  const bag = ResourceBag.of(resources);
  const scalars: Record<string, number> = { cpus: 0, gpus: 0, mem: 0, disk: 0 };
  const ranges: Record<string, FlatRanges> = {};
  const sets: Record<string, Set<string>> = {};
  for (const entry of bag.entries()) {
    const name = entry.revocable ? `${entry.name}_revocable` : entry.name;
    if (entry.type === 'SCALAR') scalars[name] = (scalars[name] ?? 0) + entry.amount;
    else if (entry.type === 'RANGES') ranges[name] = addRanges(ranges[name] ?? NO_RANGES, entry.ranges);
    else sets[name] = new Set([...(sets[name] ?? []), ...entry.items]);
  }
  const summary: Record<string, number | string> = {};
  for (const [name, amount] of Object.entries(scalars)) summary[name] = fromThousandths(amount);
  for (const [name, flat] of Object.entries(ranges)) summary[name] = formatRanges(flat);
  for (const [name, items] of Object.entries(sets)) summary[name] = `{${[...items].sort().join(', ')}}`;
  return summary;
}

const PLAIN_FIELDS: ReadonlySet<string> = new Set([
  'name',
  'type',
  'scalar',
  'ranges',
  'set',
  'role',
  'allocation_info',
]);

function isPlain(resource: Resource): boolean {
  for (const field in resource) {
    if (!PLAIN_FIELDS.has(field) && resource[field] !== undefined && resource[field] !== null) return false;
  }
  return true;
}

function entryOf(resource: Resource): BagEntry {
  const plain = isPlain(resource);
  return {
    name: resource.name,
    type: resource.type,
    role: reservationRoleOf(resource),
    revocable: !plain && isObject(resource['revocable']),
    shared: !plain && isObject(resource['shared']),
    template: plain ? undefined : withoutAmount(resource),
    amount: resource.type === 'SCALAR' ? toThousandths(resource.scalar?.value ?? 0) : 0,
    ranges: resource.type === 'RANGES' ? normalizeRanges(resource.ranges?.range ?? []) : NO_RANGES,
    items: resource.type === 'SET' ? [...new Set(resource.set?.item ?? [])].sort() : NO_ITEMS,
  };
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}

function withoutAmount(resource: Resource): Resource {
  const template: Resource = { ...resource };
  delete template.scalar;
  delete template.ranges;
  delete template.set;
  delete template.allocation_info;
  return template;
}

/** The name alone for unreserved plain resources, which are nearly all: no text is built for them. */
function keyOf(resource: Resource, entry: BagEntry): string {
  if (entry.template !== undefined) return `${entry.name} ${entry.type} ${stableText(entry.template)}`;
  return entry.role === undefined ? resource.name : `${entry.name} ${entry.role}`;
}

function stableText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(stableText).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const fields = Object.entries(value).filter(([, field]) => field !== undefined && field !== null);
  fields.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${fields.map(([name, field]) => `${name}:${stableText(field)}`).join(',')}}`;
}

function isNothing(entry: BagEntry): boolean {
  return entry.amount <= 0 && entry.ranges.length === 0 && entry.items.length === 0;
}

function plus(a: BagEntry, b: BagEntry): BagEntry {
  const items = b.items.length === 0 ? a.items : [...new Set([...a.items, ...b.items])].sort();
  return withAmounts(a, a.amount + b.amount, addRanges(a.ranges, b.ranges), items);
}

function minus(a: BagEntry, b: BagEntry): BagEntry {
  const items = b.items.length === 0 ? a.items : a.items.filter((item) => !b.items.includes(item));
  return withAmounts(a, Math.max(0, a.amount - b.amount), subtractRanges(a.ranges, b.ranges), items);
}

/** Field by field: this runs for every task and offer, and a spread costs several times as much. */
function withAmounts(entry: BagEntry, amount: number, ranges: FlatRanges, items: readonly string[]): BagEntry {
  return {
    name: entry.name,
    type: entry.type,
    role: entry.role,
    revocable: entry.revocable,
    shared: entry.shared,
    template: entry.template,
    amount,
    ranges,
    items,
  };
}

function covers(a: BagEntry, b: BagEntry): boolean {
  if (a.amount < b.amount) return false;
  if (b.ranges.length > 0 && a.ranges !== b.ranges && !containsRanges(a.ranges, b.ranges)) return false;
  return b.items.length === 0 || b.items.every((item) => a.items.includes(item));
}

function resourceOf(entry: BagEntry, allocatedRole: string | undefined): Resource {
  const resource: Resource =
    entry.template === undefined
      ? { name: entry.name, type: entry.type, role: entry.role ?? '*' }
      : { ...entry.template };
  if (entry.type === 'SCALAR') resource.scalar = { value: fromThousandths(entry.amount) };
  else if (entry.type === 'RANGES') resource.ranges = { range: rangePairs(entry.ranges) };
  else resource.set = { item: [...entry.items] };
  if (allocatedRole !== undefined) resource.allocation_info = { role: allocatedRole };
  return resource;
}
