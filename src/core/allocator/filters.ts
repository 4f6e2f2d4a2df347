import { ResourceBag } from '../records/resources';

/** A refused offer: hides what is contained in it from one client (framework and role) on one agent. */
interface DeclineFilter {
  readonly refused: ResourceBag;
  readonly untilMs: number;
  /** The client's epoch when it refused; a revive raises it and so makes older filters void at once. */
  readonly epoch: number;
}

/** Who refuses; `index` is small and unique among the living clients. */
export interface FilterClient {
  readonly index: number;
  epoch: number;
}

/** Filters of one client on one agent are few: a refusal that covers an older one replaces it. */
const FILTERS_PER_CLIENT = 4;

/**
 * The decline filters of one agent (Mesos: RefusedOfferFilter). `holds` remembers for which clients the agent's present free
 * resources are known to be hidden, so that a walk over many clients costs one byte each.
 */
export class AgentFilters {
  private byClient: (DeclineFilter[] | undefined)[] = [];
  private holds = new Uint8Array(0);
  /** When the next filter ends; Infinity without any. */
  nextExpiryMs = Number.POSITIVE_INFINITY;

  add(client: FilterClient, refused: ResourceBag, untilMs: number): void {
    const living = (this.byClient[client.index] ?? []).filter(
      (filter) => filter.epoch === client.epoch && !(filter.untilMs <= untilMs && refused.contains(filter.refused)),
    );
    living.push({ refused, untilMs, epoch: client.epoch });
    while (this.byClient.length < client.index) this.byClient.push(undefined);
    this.byClient[client.index] = living.slice(-FILTERS_PER_CLIENT);
    this.nextExpiryMs = Math.min(this.nextExpiryMs, untilMs);
  }

  /** Known to be hidden, without looking. */
  isHeld(client: FilterClient): boolean {
    return this.holds[client.index] === 1;
  }

  /** Whether all of `offered` was refused before. `isAll`: it is all that the client could get, so remember the answer. */
  hides(client: FilterClient, offered: ResourceBag, isAll: boolean): boolean {
    const filters = this.byClient[client.index];
    if (filters === undefined) return false;
    for (const filter of filters) {
      if (filter.epoch !== client.epoch || !filter.refused.contains(offered)) continue;
      if (isAll) this.remember(client);
      return true;
    }
    return false;
  }

  /** The free resources are others now: what was remembered says nothing any more. */
  freeChanged(): void {
    if (this.holds.length > 0) this.holds.fill(0);
  }

  /** The client's filters are void, or it is gone and its index will be used again. */
  forget(client: FilterClient): void {
    if (client.index < this.byClient.length) this.byClient[client.index] = undefined;
    if (client.index < this.holds.length) this.holds[client.index] = 0;
  }

  /** Drops what has ended. */
  expire(nowMs: number): void {
    this.holds.fill(0);
    this.nextExpiryMs = Number.POSITIVE_INFINITY;
    for (const [index, filters] of this.byClient.entries()) {
      if (filters === undefined) continue;
      const living = filters.filter((filter) => filter.untilMs > nowMs);
      this.byClient[index] = living.length === 0 ? undefined : living;
      for (const filter of living) this.nextExpiryMs = Math.min(this.nextExpiryMs, filter.untilMs);
    }
  }

  count(): number {
    return this.byClient.reduce((sum, filters) => sum + (filters?.length ?? 0), 0);
  }

  private remember(client: FilterClient): void {
    if (client.index >= this.holds.length) {
      const wider = new Uint8Array(Math.max(16, 2 * client.index + 2));
      wider.set(this.holds);
      this.holds = wider;
    }
    this.holds[client.index] = 1;
  }
}
