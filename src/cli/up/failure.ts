import { existsSync, readFileSync } from 'node:fs';

/** Lines of a log that are shown with a failure. */
const SHOWN_LINES = 15;

/** A step of `berth up` or `berth down` that did not work, in words for the person in front of it. */
export class StepFailure extends Error {
  override readonly name = 'StepFailure';
  constructor(
    /** What failed: "etcd", "the agent". */
    readonly step: string,
    message: string,
    readonly details: { readonly logFile?: string; readonly advice?: string; readonly cause?: unknown } = {},
  ) {
    super(message, { cause: details.cause });
  }
}

/** What failed, where its log is, the end of it, and what to do. Several lines. */
export function explain(failure: StepFailure): string {
  const { logFile, advice } = failure.details;
  const lines = [`FAILED: ${failure.step}: ${failure.message}`];
  if (logFile !== undefined) lines.push(`  log: ${logFile}`, ...lastLines(logFile).map((line) => `    | ${line}`));
  if (advice !== undefined) lines.push(`  what to do: ${advice}`);
  return `${lines.join('\n')}\n`;
}

function lastLines(path: string): string[] {
  if (!existsSync(path)) return ['(there is no such file)'];
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
  return lines.slice(-SHOWN_LINES).map((line) => (line.length > 300 ? `${line.slice(0, 300)}…` : line));
}
