import { fork, type ChildProcess } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { play, report, Shrinker } from './shrink';

/** What a worker says about one seed. */
interface Told {
  readonly seed: number;
  readonly events: number;
  readonly decisions: number;
  /** Of processor time. */
  readonly cpuMs: number;
  /** Absent: clean. */
  readonly failure?: string;
}

interface Options {
  readonly from: number;
  readonly seeds: number;
  readonly steps: number;
  readonly jobs: number;
}

const PROGRESS_MS = 5_000;
/** Seeds a worker is told at once. */
const CHUNK = 5;

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** All seeds over all cores; resolves with the failures. */
class Pool {
  private readonly failures: Told[] = [];
  private readonly startedMs = performance.now();
  private next: number;
  private done = 0;
  private events = 0;
  private decisions = 0;
  private cpuMs = 0;

  constructor(private readonly options: Options) {
    this.next = options.from;
  }

  async run(): Promise<readonly Told[]> {
    const progress = setInterval(() => say(this.progress()), PROGRESS_MS);
    try {
      await Promise.all(Array.from({ length: this.options.jobs }, () => this.work()));
    } finally {
      clearInterval(progress);
    }
    say(this.progress());
    return this.failures.toSorted((a, b) => a.seed - b.seed);
  }

  private work(): Promise<void> {
    return new Promise((resolve, reject) => {
      const worker = fork(__filename, ['--worker', '--steps', String(this.options.steps)]);
      worker.on('message', (told: Told | 'more') => {
        if (told === 'more') this.feed(worker);
        else this.take(told);
      });
      worker.on('error', reject);
      worker.on('exit', (code, signal) => {
        if (code === 0) resolve();
        else reject(new Error(`a worker ended with ${code ?? signal}`));
      });
      this.feed(worker);
    });
  }

  private feed(worker: ChildProcess): void {
    const end = this.options.from + this.options.seeds;
    const seeds = Array.from({ length: CHUNK }, (_, index) => this.next + index).filter((seed) => seed < end);
    this.next += seeds.length;
    worker.send(seeds);
  }

  private take(told: Told): void {
    this.done += 1;
    this.events += told.events;
    this.decisions += told.decisions;
    this.cpuMs += told.cpuMs;
    if (told.failure === undefined) return;
    this.failures.push(told);
    say(`seed ${told.seed} FAILS: ${told.failure.split('\n')[0]}`);
  }

  private progress(): string {
    const seconds = (performance.now() - this.startedMs) / 1_000;
    const perSecond = (count: number) => Math.round(count / seconds);
    return (
      `${this.done} of ${this.options.seeds} seeds in ${seconds.toFixed(1)} s (${(this.done / seconds).toFixed(1)}/s), ` +
      `${this.events} events (${perSecond(this.events)}/s), ${this.decisions} decisions (${perSecond(this.decisions)}/s), ` +
      `${Math.round(this.cpuMs / 1_000)} s of processor time, ${this.failures.length} failing`
    );
  }
}

/** A worker process: seeds come in, what they came to goes out; an empty list ends it. */
function serve(steps: number): void {
  process.on('message', (seeds: readonly number[]) => {
    if (seeds.length === 0) process.disconnect();
    else void judge(seeds, steps).then(() => process.send?.('more'));
  });
}

async function judge(seeds: readonly number[], steps: number): Promise<void> {
  for (const seed of seeds) process.send?.(await judgeOne(seed, steps));
}

async function judgeOne(seed: number, steps: number): Promise<Told> {
  const before = process.cpuUsage();
  try {
    const { events, decisions, violation } = await play(seed, { steps });
    const { user, system } = process.cpuUsage(before);
    const told = { seed, events, decisions: decisions.length, cpuMs: (user + system) / 1_000 };
    return violation === undefined ? told : { ...told, failure: violation.text };
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause.stack : undefined;
    return { seed, events: 0, decisions: 0, cpuMs: 0, failure: cause ?? String(error) };
  }
}

async function runOne(seed: number, steps: number, shrinks: boolean): Promise<boolean> {
  const outcome = await play(seed, { steps });
  if (outcome.violation === undefined || !shrinks) say(report(outcome));
  else {
    say(`seed ${seed}: ${outcome.violation.invariant}, ${outcome.decisions.length} decisions; looking for fewer`);
    const { outcome: shortest, runs } = await new Shrinker(outcome, { steps }).shrink();
    say(`after ${runs} runs:`);
    say(report(shortest));
  }
  return outcome.violation === undefined;
}

async function runMany(options: Options): Promise<boolean> {
  const failures = await new Pool(options).run();
  for (const { failure } of failures) say(`\n${failure}`);
  if (failures.length === 0) return true;
  say(`\nfailing: ${failures.map(({ seed }) => seed).join(' ')}`);
  say(`replay one with: npm run sim -- --seed ${failures[0]?.seed} --steps ${options.steps} [--shrink]`);
  return false;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string', default: '1000' },
      steps: { type: 'string', default: '1000' },
      from: { type: 'string', default: '1' },
      jobs: { type: 'string', default: String(availableParallelism()) },
      seed: { type: 'string' },
      shrink: { type: 'boolean', default: false },
      worker: { type: 'boolean', default: false },
    },
  });
  const steps = Number(values.steps);
  if (values.worker) return serve(steps);
  const isClean =
    values.seed === undefined
      ? await runMany({ from: Number(values.from), seeds: Number(values.seeds), steps, jobs: Number(values.jobs) })
      : await runOne(Number(values.seed), steps, values.shrink);
  if (!isClean) process.exitCode = 1;
}

void main();
