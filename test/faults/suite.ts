/**
 * Faults on the test bed come in two lengths. `npm test` runs the short suite; `npm run test:faults` runs both, with FAULTS=long.
 * What takes more than about ten seconds belongs into the long one.
 */
export const isLong = process.env['FAULTS'] === 'long';

/** A group of tests of the long suite; skipped, and counted as such, in the short one. */
export const describeLong: jest.Describe = isLong ? describe : describe.skip;
export const testLong: jest.It = isLong ? test : test.skip;

/** Agents that are silent are noticed within two seconds instead of fifteen. */
export const QUICK_SILENCE: readonly string[] = ['--agent-ping-timeout=500ms', '--max-agent-ping-timeouts=4'];
