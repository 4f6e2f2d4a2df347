import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'berth-summary-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function summary(
  otherFailures: string,
  ...runs: (Record<string, number> | undefined)[]
): { code: number | null; last: string } {
  const files = runs.map((run, index) => {
    const file = join(folder, `${index}.json`);
    if (run !== undefined) writeFileSync(file, JSON.stringify(run));
    return file;
  });
  const script = resolve(__dirname, '../summary.js');
  const run = spawnSync(process.execPath, [script, otherFailures, ...files], { encoding: 'utf8', timeout: 30_000 });
  return { code: run.status, last: run.stdout.trimEnd().split('\n').at(-1) ?? '' };
}

const GOOD = {
  numPassedTests: 5,
  numFailedTests: 0,
  numPendingTests: 0,
  numTodoTests: 0,
  numRuntimeErrorTestSuites: 0,
};

test.each<[string, Parameters<typeof summary>, string, number]>([
  ['all passed', ['0', GOOD, GOOD], '10 passed, 0 failed', 0],
  ['one failed', ['1', GOOD, { ...GOOD, numFailedTests: 1 }], '10 passed, 1 failed', 1],
  ['a suite that does not load has failed', ['0', { ...GOOD, numRuntimeErrorTestSuites: 1 }], '5 passed, 1 failed', 1],
  [
    'skipped ones are told',
    ['0', { ...GOOD, numPendingTests: 2, numTodoTests: 1 }],
    '5 passed, 0 failed, 3 skipped',
    0,
  ],
  ['lint failed', ['1', GOOD], '5 passed, 0 failed', 1],
  ['a run without results', ['0', GOOD, undefined], '5 passed, 0 failed', 1],
  ['nothing ran', ['0', { ...GOOD, numPassedTests: 0 }], '0 passed, 0 failed', 1],
])('%s', (_, args, line, code) => {
  expect(summary(...args)).toEqual({ code, last: line });
});
