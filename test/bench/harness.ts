import { writeFileSync } from 'node:fs';

/** One line of the table: what was measured, its floor in the same run, and the goal of the design. */
export interface Row {
  readonly what: string;
  /** With unit. */
  readonly measured: string;
  /** The bare floor of the same run, with unit; empty if there is none. */
  readonly floor: string;
  /** measured / floor, or what the goal is about. */
  readonly ratio?: number;
  readonly goal: string;
  /** Whether the goal is reached; undefined: nothing to compare. */
  readonly met?: boolean;
}

export interface Section {
  readonly name: string;
  /** What it needs: nothing, a real etcd, or a real Docker engine too. */
  run(): Promise<readonly Row[]>;
}

/** The p-th quantile (0..1) of the samples, by the nearest rank. */
export function quantile(samples: readonly number[], p: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(p * sorted.length) - 1))] ?? Number.NaN;
}

export function median(samples: readonly number[]): number {
  return quantile(samples, 0.5);
}

/** Milliseconds that `work` takes, with its result. */
export async function timed<T>(work: () => T | Promise<T>): Promise<{ readonly ms: number; readonly result: T }> {
  const start = performance.now();
  const result = await work();
  return { ms: performance.now() - start, result };
}

export function ms(value: number): string {
  return value >= 100 ? `${Math.round(value)} ms` : `${value.toFixed(value < 1 ? 3 : 1)} ms`;
}

export function perSecond(value: number, what: string): string {
  return value >= 100 ? `${Math.round(value).toLocaleString('en')} ${what}/s` : `${value.toFixed(1)} ${what}/s`;
}

/** Runs at most `width` of the jobs at once. */
export async function inParallel<T>(width: number, jobs: readonly (() => Promise<T>)[]): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < jobs.length; index = next++) {
      const job = jobs[index];
      if (job !== undefined) results[index] = await job();
    }
  };
  await Promise.all(Array.from({ length: Math.min(width, jobs.length) }, worker));
  return results;
}

export function printTable(rows: readonly Row[]): void {
  const header = ['what', 'measured', 'floor', 'ratio', 'goal', 'met'];
  const lines = rows.map((row) => [
    row.what,
    row.measured,
    row.floor,
    row.ratio === undefined ? '' : row.ratio.toFixed(2),
    row.goal,
    row.met === undefined ? '' : row.met ? 'yes' : 'NO',
  ]);
  const widths = header.map((title, column) =>
    Math.max(title.length, ...lines.map((line) => (line[column] ?? '').length)),
  );
  const print = (cells: readonly string[]) =>
    process.stdout.write(
      `${cells
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd()}\n`,
    );
  print(header);
  print(widths.map((width) => '-'.repeat(width)));
  lines.forEach(print);
}

/** Table to the terminal, JSON to `file`. */
export function report(rows: readonly Row[], machine: Readonly<Record<string, unknown>>, file: string): void {
  printTable(rows);
  writeFileSync(file, `${JSON.stringify({ machine, rows }, null, 2)}\n`);
  process.stdout.write(`\nJSON: ${file}\n`);
}
