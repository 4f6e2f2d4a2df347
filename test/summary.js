'use strict';
// The last line of `npm test`: sums jest's own result files. Exit code 1 when a test or a suite failed, when another check
// did (first argument not 0), when a run left no results, or when nothing passed.
const { readFileSync } = require('node:fs');

const [otherFailures, ...files] = process.argv.slice(2);

function readResults(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    process.stderr.write(`no results of jest in ${file}: ${error.message}\n`);
    return undefined;
  }
}

const runs = files.map(readResults);
const sum = (field) => runs.reduce((total, run) => total + (run?.[field] ?? 0), 0);
const passed = sum('numPassedTests');
// A suite that cannot even be loaded has no tests to count, but has failed.
const failed = sum('numFailedTests') + sum('numRuntimeErrorTestSuites');
const skipped = sum('numPendingTests') + sum('numTodoTests');

if (otherFailures !== '0' && failed === 0) process.stderr.write('a check other than a test failed (above)\n');
process.stdout.write(`${passed} passed, ${failed} failed${skipped === 0 ? '' : `, ${skipped} skipped`}\n`);
process.exitCode = otherFailures !== '0' || failed > 0 || passed === 0 || runs.includes(undefined) ? 1 : 0;
