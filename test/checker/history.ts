import type { RuleClock } from './time';

const KEPT = 400;
const SHOWN = 80;

/** An invariant of the cluster does not hold. The message has everything needed to replay and to understand it. */
export class Violation extends Error {
  constructor(
    readonly invariant: string,
    readonly detail: string,
    text: string,
  ) {
    super(text);
    this.name = 'Violation';
  }
}

/** What happened in one world, the newest last, and the first violated invariant. */
export class History {
  private readonly lines: string[] = [];
  private first: Violation | undefined;
  step = 0;

  constructor(
    readonly seed: number,
    private readonly clock: RuleClock,
    private readonly replay = `SIM_SEED=${seed} npx jest test/sim --selectProjects unit`,
  ) {}

  note(text: string): void {
    const line = `${(this.clock.monotonicMs() / 1000).toFixed(3).padStart(8)}s #${this.step} ${text}`;
    if (process.env['SIM_TRACE'] === '1') process.stderr.write(`${line}\n`);
    this.lines.push(line);
    if (this.lines.length > KEPT) this.lines.shift();
  }

  /** Keeps the first violation: what comes after it may only be its consequence. Thrown by check(). */
  violate(invariant: string, detail: string): void {
    this.note(`VIOLATION of "${invariant}": ${detail}`);
    this.first ??= new Violation(
      invariant,
      detail,
      [
        `seed ${this.seed}, step ${this.step}: ${invariant}: ${detail}`,
        `replay: ${this.replay}`,
        ...this.lines.slice(-SHOWN),
      ].join('\n'),
    );
  }

  /** The last events, for comparing runs. */
  text(): string {
    return this.lines.join('\n');
  }

  get violated(): boolean {
    return this.first !== undefined;
  }

  check(): void {
    if (this.first !== undefined) throw this.first;
  }
}
