import { fieldValue, type Constraint } from './constraints';
import type { OfferSlot } from './offer-slot';

/** Slots in a ring: every reader goes on where the last one stopped, so instances spread over the agents. */
export class SlotRing {
  private cursor = 0;

  constructor(
    private readonly slots: OfferSlot[],
    private readonly floor: { readonly cpus: number; readonly mem: number },
  ) {}

  get size(): number {
    return this.slots.length;
  }

  /** The next slot that has anything left; slots that have not are dropped on the way. Undefined: none is left. */
  next(): OfferSlot | undefined {
    while (this.slots.length > 0) {
      if (this.cursor >= this.slots.length) this.cursor = 0;
      const slot = this.slots[this.cursor];
      if (slot === undefined) return undefined;
      if (this.hasRoom(slot)) {
        this.cursor++;
        return slot;
      }
      const last = this.slots.pop();
      if (last !== undefined && last !== slot) this.slots[this.cursor] = last;
    }
    return undefined;
  }

  private hasRoom(slot: OfferSlot): boolean {
    let cpus = 0;
    let mem = 0;
    for (const { free } of slot.shares) {
      cpus += free[0];
      mem += free[1];
    }
    return cpus >= this.floor.cpus && mem >= this.floor.mem;
  }
}

/**
 * Offers to choose from, found by the value of any field: an app that asks for one rack looks at that rack only, however
 * many agents there are. Each view is built when first asked for.
 */
export class OfferPool {
  private readonly byField = new Map<string, ReadonlyMap<string, SlotRing>>();
  private readonly groupsOf = new Map<string, { readonly rings: readonly SlotRing[]; readonly start: number }>();
  private readonly byPattern = new Map<string, SlotRing>();
  readonly all: SlotRing;

  /** @param floor thousandths; slots with less than this left are of no use to anyone */
  constructor(
    readonly slots: readonly OfferSlot[],
    private readonly floor: { readonly cpus: number; readonly mem: number } = { cpus: 0, mem: 0 },
  ) {
    this.all = new SlotRing([...slots], floor);
  }

  /** Slots by their value of `field`; slots without the field are in none. */
  by(field: string): ReadonlyMap<string, SlotRing> {
    const known = this.byField.get(field);
    if (known !== undefined) return known;
    const lists = new Map<string, OfferSlot[]>();
    for (const slot of this.slots) {
      const value = fieldValue(slot.facts, field);
      if (value === undefined) continue;
      const list = lists.get(value);
      if (list === undefined) lists.set(value, [slot]);
      else list.push(slot);
    }
    const rings = new Map([...lists].map(([value, slots]) => [value, new SlotRing(slots, this.floor)]));
    this.byField.set(field, rings);
    return rings;
  }

  /** The rings of `by(field)`, and with which to start: another one each time, so that small apps spread too. */
  groups(field: string): { readonly rings: readonly SlotRing[]; readonly start: number } {
    const known = this.groupsOf.get(field) ?? { rings: [...this.by(field).values()], start: -1 };
    const next = { rings: known.rings, start: known.rings.length === 0 ? 0 : (known.start + 1) % known.rings.length };
    this.groupsOf.set(field, next);
    return next;
  }

  /** Slots that a LIKE constraint allows. */
  like(constraint: Constraint): SlotRing {
    const key = `${constraint.field} ${constraint.value ?? ''}`;
    const known = this.byPattern.get(key);
    if (known !== undefined) return known;
    const slots = this.slots.filter((slot) => {
      const value = fieldValue(slot.facts, constraint.field);
      return value !== undefined && constraint.pattern?.test(value) === true;
    });
    const ring = new SlotRing(slots, this.floor);
    this.byPattern.set(key, ring);
    return ring;
  }
}
