import { randomRun } from './random/run';

/** The short form of `npm run test:faults -- --minutes M`: enough to see that the faults, the recorder and the rules work together. */
test('after random faults and edits everything is as wanted, and no rule was broken', async () => {
  const lines: string[] = [];
  const result = await randomRun({
    seed: 1,
    minutes: 0.1,
    roundSeconds: 12,
    bed: { agents: 3, registry: false, serverFlags: ['--agent-ping-timeout=1s', '--max-agent-ping-timeouts=5'] },
    say: (line) => void lines.push(line),
  });
  expect(result.failure).toBeUndefined();
  expect(result.rounds).toBe(1);
  expect(result.faults).toBeGreaterThan(0);
  expect(result.edits).toBeGreaterThan(0);
  const kinds = new Set(result.recording.observations.map(({ kind }) => kind));
  expect([...kinds]).toEqual(expect.arrayContaining(['commit', 'attempt', 'answer', 'container', 'read', 'fault']));
});
