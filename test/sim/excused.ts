import { History } from '../checker/history';
import type { RuleClock } from '../checker/time';

/** The same history, for rules of which some do not hold for a while, and rightly so: their violations are only noted. */
export class Excused extends History {
  constructor(
    private readonly whole: History,
    clock: RuleClock,
    private readonly invariants: ReadonlySet<string>,
  ) {
    super(whole.seed, clock);
  }

  override note(text: string): void {
    this.whole.note(text);
  }

  override violate(invariant: string, detail: string): void {
    if (this.invariants.has(invariant)) this.whole.note(`excused, "${invariant}": ${detail}`);
    else this.whole.violate(invariant, detail);
  }

  override check(): void {
    this.whole.check();
  }
}
