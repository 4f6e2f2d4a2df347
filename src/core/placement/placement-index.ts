import { fieldValue, type AgentFacts, type Constraint } from './constraints';

/**
 * How many instances of an app there are per value of one field, kept up to date with every instance that comes and goes:
 * each question is answered in constant time, however many instances and agents there are.
 */
class FieldCounts {
  private readonly counts = new Map<string, number>();
  /** How many values have a given count. */
  private readonly valuesByCount = new Map<number, number>();
  private smallest = 0;

  get groups(): number {
    return this.counts.size;
  }

  of(value: string): number {
    return this.counts.get(value) ?? 0;
  }

  /** The smallest count of any value that has an instance; 0 without instances. */
  min(): number {
    return this.smallest;
  }

  change(value: string, by: 1 | -1): void {
    const before = this.of(value);
    const after = before + by;
    if (after > 0) this.counts.set(value, after);
    else this.counts.delete(value);
    if (before > 0) this.moveTally(before, -1);
    if (after > 0) this.moveTally(after, 1);
    if (this.counts.size === 0) this.smallest = 0;
    else if (after > 0 && (after < this.smallest || this.smallest === 0)) this.smallest = after;
    else this.findSmallest();
  }

  private moveTally(count: number, by: 1 | -1): void {
    const tally = (this.valuesByCount.get(count) ?? 0) + by;
    if (tally > 0) this.valuesByCount.set(count, tally);
    else this.valuesByCount.delete(count);
  }

  /** Counts move by one, so the new smallest is next to the old one, or (a group vanished) a few steps up. */
  private findSmallest(): void {
    while (!this.valuesByCount.has(this.smallest)) this.smallest++;
  }

  /** The only value there is, if all instances share one. */
  first(): string | undefined {
    return this.counts.keys().next().value;
  }
}

const COUNTED: ReadonlySet<string> = new Set(['UNIQUE', 'CLUSTER', 'GROUP_BY', 'MAX_PER']);

/** Where the instances of one app are, as far as its constraints care. */
export class PlacementIndex {
  private readonly byField = new Map<string, FieldCounts>();
  private readonly factsOf = new Map<string, AgentFacts>();

  constructor(readonly constraints: readonly Constraint[]) {
    for (const { field, operator } of constraints) {
      if (COUNTED.has(operator) && !this.byField.has(field)) this.byField.set(field, new FieldCounts());
    }
  }

  get size(): number {
    return this.factsOf.size;
  }

  /** The instance is (or will be) on this agent. Replaces where it was before. */
  place(instanceId: string, facts: AgentFacts): void {
    this.remove(instanceId);
    this.factsOf.set(instanceId, facts);
    this.count(facts, 1);
  }

  /** The instance is nowhere. Harmless when it was not placed; false then. */
  remove(instanceId: string): boolean {
    const facts = this.factsOf.get(instanceId);
    if (facts === undefined) return false;
    this.factsOf.delete(instanceId);
    this.count(facts, -1);
    return true;
  }

  private count(facts: AgentFacts, by: 1 | -1): void {
    for (const [field, counts] of this.byField) {
      const value = fieldValue(facts, field);
      if (value !== undefined) counts.change(value, by);
    }
  }

  /** Whether one more instance may go there. */
  allows(facts: AgentFacts): boolean {
    for (const constraint of this.constraints) if (!this.meets(constraint, facts)) return false;
    return true;
  }

  /** Marathon, section "constraints": values are compared as text; without the attribute only UNLIKE holds. */
  meets(constraint: Constraint, facts: AgentFacts): boolean {
    const value = fieldValue(facts, constraint.field);
    if (value === undefined) return constraint.operator === 'UNLIKE';
    switch (constraint.operator) {
      case 'IS':
        return value === constraint.value;
      case 'LIKE':
        return constraint.pattern?.test(value) === true;
      case 'UNLIKE':
        return constraint.pattern?.test(value) !== true;
      case 'UNIQUE':
      case 'MAX_PER':
      case 'CLUSTER':
      case 'GROUP_BY':
        return this.meetsCounted(constraint, value);
    }
  }

  private meetsCounted(constraint: Constraint, value: string): boolean {
    const counts = this.byField.get(constraint.field);
    if (counts === undefined) return true;
    if (constraint.operator === 'UNIQUE') return counts.of(value) === 0;
    if (constraint.operator === 'MAX_PER') return counts.of(value) < constraint.limit;
    if (constraint.operator === 'GROUP_BY') return mayJoinGroup(counts, value, constraint.limit);
    if (constraint.value !== undefined) return value === constraint.value;
    return counts.groups === 0 || counts.first() === value;
  }

  /** The value of `field` that the instances have, if there are any (CLUSTER: they all share one). */
  sharedValue(field: string): string | undefined {
    return this.byField.get(field)?.first();
  }

  /** The count of instances that share this agent's value of `field`. */
  countAt(field: string, value: string): number {
    return this.byField.get(field)?.of(value) ?? 0;
  }
}

/**
 * Marathon up to 1.9: a new value is always welcome; a value that has instances already only when there are enough values and
 * it has as few instances as any. (The rule of 1.10 divides by zero when no value is given.)
 */
function mayJoinGroup(counts: FieldCounts, value: string, wantedGroups: number): boolean {
  const count = counts.of(value);
  if (count === 0) return true;
  return counts.groups >= wantedGroups && count === counts.min();
}
