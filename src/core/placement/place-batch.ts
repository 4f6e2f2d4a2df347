import type { Random } from '../ports/random';
import type { Constraint } from './constraints';
import { fits, refusals, take, type LaunchRequest, type Match } from './match';
import { OfferPool, SlotRing } from './offer-pool';
import type { OfferSlot } from './offer-slot';
import type { PlacementIndex } from './placement-index';
import type { Reason } from './reasons';

/** Instances of one app version that wait for a place. */
export interface BatchRequest {
  readonly request: LaunchRequest;
  /** Where the app's instances are; placements are counted into it. */
  readonly index: PlacementIndex;
  readonly instanceIds: readonly string[];
}

export interface Placement {
  readonly instanceId: string;
  readonly slot: OfferSlot;
  readonly match: Match;
}

/**
 * Places as many instances as fit, the first request first. Exact for every constraint. A slot that refused an app once is not
 * asked again for it: during a batch resources only shrink and counts only grow (GROUP_BY, where a count may become the
 * smallest later, is walked group by group). So the cost is that of the placements, not of the agents.
 */
export function placeBatch(requests: readonly BatchRequest[], pool: OfferPool, random: Random): Placement[][] {
  return requests.map((batch) => placeApp(batch, pool, random));
}

/** Why the slots of the pool do not take one more instance: all reasons per slot, in funnel order. */
export function explain(
  { request, index }: Pick<BatchRequest, 'request' | 'index'>,
  pool: OfferPool,
): { readonly slot: OfferSlot; readonly why: readonly Reason[] }[] {
  return pool.slots.map((slot) => ({ slot, why: refusals(request, index, slot) })).filter(({ why }) => why.length > 0);
}

function placeApp(batch: BatchRequest, pool: OfferPool, random: Random): Placement[] {
  const filler = new Filler(batch, random);
  const grouped = batch.request.constraints.find(({ operator }) => operator === 'GROUP_BY');
  if (grouped !== undefined) fillGroups(filler, pool, grouped);
  else fillRing(filler, batch, pool);
  return filler.placements;
}

function fillRing(filler: Filler, batch: BatchRequest, pool: OfferPool): void {
  const free = batch.request.constraints.find(
    ({ operator, value }) => operator === 'CLUSTER' && value === undefined && batch.index.size === 0,
  );
  // The first instance of a cluster decides for all others; they then look only at its value.
  if (free !== undefined) filler.placeNext(new Scan(pool.all));
  const ring = candidates(batch, pool);
  if (ring === undefined) return;
  const scan = new Scan(ring);
  while (filler.placeNext(scan));
}

/**
 * Walks the groups until a walk places nothing. One walk is enough for one GROUP_BY; with two of them a slot that the other
 * one refused may be welcome later.
 */
function fillGroups(filler: Filler, pool: OfferPool, grouped: Constraint): void {
  let before = -1;
  while (!filler.isDone() && filler.placements.length > before) {
    before = filler.placements.length;
    walkGroups(filler, pool, grouped);
  }
}

/** Round after round, one instance per group and round; a round that places nothing ends it. */
function walkGroups(filler: Filler, pool: OfferPool, grouped: Constraint): void {
  const { rings, start } = pool.groups(grouped.field);
  const scans = new Map<SlotRing, Scan>();
  let placed = true;
  while (placed) {
    placed = false;
    for (let step = 0; step < rings.length; step++) {
      if (filler.isDone()) return;
      const ring = rings[(start + step) % rings.length];
      if (ring === undefined) continue;
      const scan = scans.get(ring) ?? new Scan(ring);
      scans.set(ring, scan);
      if (scan.first !== undefined && !filler.mayUse(grouped, scan.first)) continue;
      if (filler.placeNext(scan)) placed = true;
    }
  }
}

/** The smallest ready-made list that holds every slot the constraints allow. */
function candidates({ request, index }: BatchRequest, pool: OfferPool): SlotRing | undefined {
  for (const constraint of request.constraints) {
    const { field, operator, value } = constraint;
    if (operator === 'IS' || operator === 'CLUSTER') {
      const wanted = value ?? index.sharedValue(field);
      if (wanted !== undefined) return pool.by(field).get(wanted);
    }
  }
  const like = request.constraints.find(({ operator }) => operator === 'LIKE');
  return like === undefined ? pool.all : pool.like(like);
}

/** One walk over a ring for one app: each slot once, then again and again those that took an instance. */
class Scan {
  /** A slot of the ring, to look at the value they share; the walk starts with it. */
  readonly first: OfferSlot | undefined;
  private started = false;
  private left: number;
  private readonly survivors: OfferSlot[] = [];
  private at = 0;

  constructor(private readonly ring: SlotRing) {
    this.first = ring.next();
    this.left = ring.size;
  }

  next(): OfferSlot | undefined {
    if (this.left > 0) {
      const slot = this.started ? this.ring.next() : this.first;
      this.started = true;
      this.left--;
      if (slot !== undefined) return slot;
      this.left = 0;
    }
    const survivor = this.survivors[this.at];
    if (survivor !== undefined) this.at++;
    return survivor;
  }

  keep(slot: OfferSlot): void {
    this.survivors.push(slot);
  }
}

class Filler {
  readonly placements: Placement[] = [];

  constructor(
    private readonly batch: BatchRequest,
    private readonly random: Random,
  ) {}

  isDone(): boolean {
    return this.placements.length >= this.batch.instanceIds.length;
  }

  mayUse(constraint: Constraint, slot: OfferSlot): boolean {
    return this.batch.index.meets(constraint, slot.facts);
  }

  /** Places one more instance on the next slot of the scan that takes it. */
  placeNext(scan: Scan): boolean {
    const instanceId = this.batch.instanceIds[this.placements.length];
    if (instanceId === undefined) return false;
    const { request, index } = this.batch;
    for (let slot = scan.next(); slot !== undefined; slot = scan.next()) {
      if (!fits(request, index, slot)) continue;
      index.place(instanceId, slot.facts);
      this.placements.push({ instanceId, slot, match: take(request, slot, this.random) });
      scan.keep(slot);
      return true;
    }
    return false;
  }
}
