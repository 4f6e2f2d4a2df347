import { Violation } from '../checker/history';
import { type Decision, described } from './decisions';
import { World, type WorldOptions } from './world';

/** What one run came to. */
export interface Outcome {
  readonly seed: number;
  readonly events: number;
  /** What was decided until the end, or until the violation. */
  readonly decisions: readonly Decision[];
  readonly violation?: { readonly invariant: string; readonly detail: string; readonly text: string };
  /** The last events, oldest first. */
  readonly history: string;
}

/** Runs one world. What is no violation is a bug of the simulation, or of the product, and is thrown with the seed. */
export async function play(seed: number, options: WorldOptions = {}): Promise<Outcome> {
  const world = new World(seed, options);
  const outcome = () => ({
    seed,
    events: world.events,
    decisions: [...world.decisions],
    history: world.history.text(),
  });
  try {
    await world.run();
    return outcome();
  } catch (error) {
    if (!(error instanceof Violation)) throw new Error(`seed ${seed} went wrong`, { cause: error });
    const { invariant, detail, message } = error;
    return { ...outcome(), violation: { invariant, detail, text: message } };
  }
}

export interface Shrunk {
  readonly outcome: Outcome;
  readonly runs: number;
}

/** Runs of one search: each takes a fraction of a second. */
const MAX_RUNS = 600;
/** Trouble that lasts is tried with these durations, milliseconds. */
const DURATIONS = [300, 1_000, 3_000, 10_000];

/** Looks for a short list of decisions that violates the same invariant of the same seed. Greedy: short, not shortest. */
export class Shrinker {
  private best: Outcome;
  private runs = 0;

  /** @param found an outcome with a violation */
  constructor(
    found: Outcome,
    private readonly options: WorldOptions = {},
    private readonly maxRuns = MAX_RUNS,
  ) {
    this.best = found;
  }

  async shrink(): Promise<Shrunk> {
    for (let before = -1; before !== this.size && this.runs < this.maxRuns;) {
      before = this.size;
      await this.dropChunks();
      await this.shorten();
    }
    return { outcome: this.best, runs: this.runs };
  }

  /** What is to become small: decisions first, then time. */
  private get size(): number {
    const { decisions } = this.best;
    return decisions.length * 1e9 + decisions.reduce((sum, { waitMs, how }) => sum + waitMs + lastsMs(how), 0);
  }

  /** Half of them, a quarter, and so on to one at a time; with the time they took, and without. */
  private async dropChunks(): Promise<void> {
    for (let size = Math.ceil(this.best.decisions.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2))
      for (let at = this.best.decisions.length - size; at > -size; at -= size) {
        const from = Math.max(0, at);
        const isShorter = await this.attempt(without(this.best.decisions, from, size, false));
        if (!isShorter) await this.attempt(without(this.best.decisions, from, size, true));
      }
  }

  private async shorten(): Promise<void> {
    for (let at = this.best.decisions.length - 1; at >= 0; at--)
      for (const change of shorter(this.best.decisions[at])) {
        const decisions = this.best.decisions.map((decision, index) => (index === at ? change : decision));
        if (await this.attempt(decisions)) break;
      }
  }

  /** True: it still fails in the same way, and is the best now. */
  private async attempt(decisions: readonly Decision[]): Promise<boolean> {
    if (this.runs >= this.maxRuns) return false;
    this.runs += 1;
    const outcome = await play(this.best.seed, { ...this.options, decisions });
    if (outcome.violation?.invariant !== this.best.violation?.invariant) return false;
    this.best = outcome;
    return true;
  }
}

function without(decisions: readonly Decision[], from: number, count: number, keepsTime: boolean): Decision[] {
  const dropped = decisions.slice(from, from + count);
  const [next, ...rest] = decisions.slice(from + count);
  const gapMs = keepsTime ? dropped.reduce((sum, { waitMs }) => sum + waitMs, 0) : 0;
  const after = next === undefined ? [] : [{ ...next, waitMs: next.waitMs + gapMs }, ...rest];
  return [...decisions.slice(0, from), ...after];
}

/** The same decision sooner, or with less of it; the smallest first. */
function shorter(decision: Decision | undefined): Decision[] {
  if (decision === undefined) return [];
  const { waitMs, how } = decision;
  const waits = [0, 50, 400, 1_500].filter((ms) => ms < waitMs).map((ms) => ({ ...decision, waitMs: ms }));
  const durations = DURATIONS.filter((ms) => ms < lastsMs(how)).map((ms) => ({
    ...decision,
    how: { ...how, forMs: ms },
  }));
  return [...waits, ...durations];
}

function lastsMs(how: Decision['how']): number {
  return typeof how['forMs'] === 'number' ? how['forMs'] : 0;
}

/** For people: what to do to a fresh world, and what comes of it. */
export function report({ seed, decisions, violation, history }: Outcome): string {
  const verdict = violation === undefined ? 'nothing is violated' : `${violation.invariant}: ${violation.detail}`;
  return [
    `seed ${seed}: ${verdict}`,
    `${decisions.length} decisions:`,
    ...decisions.map((decision) => `  ${described(decision)}`),
    'history:',
    history,
  ].join('\n');
}
