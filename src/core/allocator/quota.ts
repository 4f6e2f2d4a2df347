import type { ResourceBag } from '../records/resources';
import { addTo, takeFrom, type Quantities, type ScalarColumns } from './quantities';

/** Amounts as a user writes them (cpus, mem in MB), by resource name. A limit that is not named is infinite. */
export interface Quota {
  readonly guarantees: Readonly<Record<string, number>>;
  readonly limits: Readonly<Record<string, number>>;
}

interface TopRole {
  guarantee: Quantities | undefined;
  /** Infinity where there is no limit. */
  limit: Quantities | undefined;
  /** Reservations of the subtree, allocated or not. */
  readonly reserved: Quantities;
  /** Unreserved, not revocable resources that are offered or in use in the subtree. */
  readonly allocated: Quantities;
}

/** Quota holds for top-level roles only; what children use counts for the parent (Mesos). */
export function topOf(role: string): string {
  const cut = role.indexOf('/');
  return cut === -1 ? role : role.slice(0, cut);
}

/**
 * Who has consumed how much of its quota, and how much must be kept free so that every guarantee can still be met
 * (`headroom`). Kept up to date with each allocation: reading it costs the number of roles with guarantees, not agents.
 */
export class QuotaLedger {
  private readonly roles = new Map<string, TopRole>();
  /** Unreserved, not revocable resources that nobody has (Mesos: available headroom). */
  readonly free: Quantities = [0, 0, 0, 0];
  private guarantees = 0;
  private limits = 0;

  constructor(private readonly columns: ScalarColumns) {}

  get hasGuarantees(): boolean {
    return this.guarantees > 0;
  }

  get hasAny(): boolean {
    return this.guarantees + this.limits > 0;
  }

  set(role: string, quota: Quota | undefined): void {
    const top = this.role(role);
    const guarantee = quota === undefined ? [] : this.columns.fromRecord(quota.guarantees);
    top.guarantee = guarantee.some((amount) => amount > 0) ? guarantee : undefined;
    top.limit = quota === undefined || Object.keys(quota.limits).length === 0 ? undefined : this.limitsOf(quota);
    const all = [...this.roles.values()];
    this.guarantees = all.filter((each) => each.guarantee !== undefined).length;
    this.limits = all.filter((each) => each.limit !== undefined).length;
  }

  addReservations(total: ResourceBag, sign: 1 | -1): void {
    for (const entry of total.entries()) {
      if (entry.role === undefined || entry.type !== 'SCALAR') continue;
      const { reserved } = this.role(topOf(entry.role));
      const column = this.columns.of(entry.name);
      reserved[column] = (reserved[column] ?? 0) + sign * entry.amount;
    }
  }

  /** Unreserved quantities that a role has been given. */
  allocated(role: string, unreserved: Quantities): void {
    addTo(this.role(topOf(role)).allocated, unreserved);
  }

  unallocated(role: string, unreserved: Quantities): void {
    takeFrom(this.role(topOf(role)).allocated, unreserved);
  }

  /** Replaces an agent's part of what is free. */
  freeChanged(before: Quantities, after: Quantities): void {
    takeFrom(this.free, before);
    addTo(this.free, after);
  }

  /** Guarantee minus consumption, never below zero; undefined: no guarantee, or it is met. */
  unsatisfied(role: string): Quantities | undefined {
    const top = this.roles.get(topOf(role));
    if (top?.guarantee === undefined) return undefined;
    const missing = top.guarantee.map((amount, column) => Math.max(0, amount - consumed(top, column)));
    return missing.some((amount) => amount > 0) ? missing : undefined;
  }

  /** How much more the role may take of a resource, in thousandths; Infinity without limit. */
  leftOf(role: string, column: number): number {
    const top = this.roles.get(topOf(role));
    const limit = top?.limit?.[column] ?? Number.POSITIVE_INFINITY;
    return top === undefined ? limit : Math.max(0, limit - consumed(top, column));
  }

  hasLimit(role: string): boolean {
    return this.roles.get(topOf(role))?.limit !== undefined;
  }

  /** Sum over all roles of what is missing to their guarantees; undefined: nothing. */
  requiredHeadroom(): Quantities | undefined {
    if (!this.hasGuarantees) return undefined;
    const required: Quantities = [];
    for (const role of this.roles.keys()) addTo(required, this.unsatisfied(role) ?? []);
    return required.some((amount) => amount > 0) ? required : undefined;
  }

  consumedOf(role: string): Quantities {
    const top = this.roles.get(topOf(role));
    return top === undefined ? [] : [...this.columns.names()].map((_, column) => consumed(top, column));
  }

  private limitsOf(quota: Quota): Quantities {
    const limit: Quantities = [];
    for (const [name, amount] of Object.entries(quota.limits)) limit[this.columns.of(name)] = Math.round(amount * 1000);
    return Array.from(limit, (amount: number | undefined) => amount ?? Number.POSITIVE_INFINITY);
  }

  private role(name: string): TopRole {
    let top = this.roles.get(name);
    if (top === undefined) {
      top = { guarantee: undefined, limit: undefined, reserved: [0, 0, 0, 0], allocated: [0, 0, 0, 0] };
      this.roles.set(name, top);
    }
    return top;
  }
}

function consumed(top: TopRole, column: number): number {
  return (top.reserved[column] ?? 0) + (top.allocated[column] ?? 0);
}
