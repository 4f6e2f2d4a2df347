import type { BagEntry, ResourceBag } from '../records/resources';

/** Amounts of scalar resources in thousandths, by column of a ScalarColumns. Missing columns are 0. */
export type Quantities = number[];

/** Gives each scalar resource name a small number, so that sums are sums of arrays. */
export class ScalarColumns {
  private readonly columns = new Map<string, number>([
    ['cpus', 0],
    ['mem', 1],
    ['disk', 2],
    ['gpus', 3],
  ]);

  of(name: string): number {
    const known = this.columns.get(name);
    if (known !== undefined) return known;
    const column = this.columns.size;
    this.columns.set(name, column);
    return column;
  }

  names(): Iterable<string> {
    return this.columns.keys();
  }

  /** Sums the scalars of a bag that `counts` accepts (all, without it). */
  quantitiesOf(bag: ResourceBag, counts?: (entry: BagEntry) => boolean): Quantities {
    const sum: Quantities = [0, 0, 0, 0];
    for (const entry of bag.entries()) {
      if (entry.type !== 'SCALAR' || (counts !== undefined && !counts(entry))) continue;
      const column = this.of(entry.name);
      sum[column] = (sum[column] ?? 0) + entry.amount;
    }
    return sum;
  }

  /** From a record of amounts (not thousandths), as quota is written. */
  fromRecord(amounts: Readonly<Record<string, number>>): Quantities {
    const sum: Quantities = [0, 0, 0, 0];
    for (const [name, amount] of Object.entries(amounts)) sum[this.of(name)] = Math.round(amount * 1000);
    return sum;
  }
}

export function addTo(sum: Quantities, part: Quantities): void {
  for (let i = 0; i < part.length; i++) sum[i] = (sum[i] ?? 0) + (part[i] ?? 0);
}

export function takeFrom(sum: Quantities, part: Quantities): void {
  for (let i = 0; i < part.length; i++) sum[i] = (sum[i] ?? 0) - (part[i] ?? 0);
}

export function isAnyPositive(quantities: Quantities): boolean {
  for (let i = 0; i < quantities.length; i++) if ((quantities[i] ?? 0) > 0) return true;
  return false;
}

/** What quota speaks of: resources anyone may use and that cannot be taken back. */
export function isUnreserved(entry: BagEntry): boolean {
  return entry.role === undefined && !entry.revocable;
}
