import type { Decision } from './decisions';
import { play } from './shrink';

interface Found {
  readonly name: string;
  readonly seed: number;
  readonly decisions: readonly Decision[];
}

/** Short runs that violated something once, as the shrinker left them. What was wrong has tests of its own beside the part. */
const FOUND: readonly Found[] = [
  {
    name: 'an engine that hung created the container of a killed task after its removal',
    seed: 3578,
    decisions: [
      { waitMs: 150, what: 'user', how: { replica: 39, app: '/web', act: 'config', chance: 1818261901 } },
      { waitMs: 450, what: 'server paused', how: { server: 54, isLeader: true, forMs: 1_000 } },
      { waitMs: 0, what: 'engine hangs', how: { agent: 33, forMs: 45_000 } },
      { waitMs: 17_500, what: 'user', how: { replica: 15, app: '/web', act: 'restart', chance: 671311468 } },
    ],
  },
  {
    name: 'a replacement stopped by force left twice as many instances, behind the brake',
    seed: 3692,
    decisions: [
      { waitMs: 0, what: 'user', how: { replica: 49, app: '/shop/db', act: 'delete', chance: 445938380 } },
      { waitMs: 1_500, what: 'user', how: { replica: 58, app: '/shop/cart', act: 'config', chance: 186025440 } },
      { waitMs: 400, what: 'server paused', how: { server: 1, isLeader: true, forMs: 9_000 } },
      { waitMs: 4_500, what: 'user', how: { replica: 45, app: '/shop/cart', act: 'restart', chance: 207246045 } },
      { waitMs: 400, what: 'user', how: { replica: 51, app: '/shop/db', act: 'undo', chance: 1770716304 } },
    ],
  },
  {
    name: 'a task whose start a full disk did not note ran twice when its container was removed',
    seed: 3560,
    decisions: [
      { waitMs: 400, what: 'user', how: { replica: 46, app: '/web', act: 'config', chance: 2075401700 } },
      { waitMs: 0, what: 'server paused', how: { server: 29, isLeader: true, forMs: 10_000 } },
      { waitMs: 3_400, what: 'user', how: { replica: 23, app: '/api', act: 'config', chance: 1476451133 } },
      {
        waitMs: 0,
        what: 'server dies at a point',
        how: { point: 'orchestrator.step-done', server: 48, forMs: 300 },
      },
      { waitMs: 3_450, what: 'user', how: { replica: 43, app: '/api', act: 'restart', chance: 336978655 } },
      { waitMs: 3_400, what: 'agent dies at a point', how: { point: 'agent.end-written', agent: 0, forMs: 300 } },
      { waitMs: 0, what: 'disk full', how: { agent: 27, forMs: 300 } },
      {
        waitMs: 50,
        what: 'container',
        how: { agent: 54, container: 35, fate: 'is removed', code: 0, forMs: 300 },
      },
    ],
  },
];

/** With SIM_SEED only that seed runs. */
const describeFound = process.env['SIM_SEED'] === undefined ? describe : describe.skip;

describeFound('what was found once', () => {
  test.each(FOUND)('$name', async ({ seed, decisions }) => {
    expect((await play(seed, { decisions })).violation).toBeUndefined();
  });

  test('a decision that nobody knows is refused', async () => {
    const decisions = [{ waitMs: 0, what: 'rain', how: {} }];
    await expect(play(1, { decisions })).rejects.toMatchObject({ cause: new Error('no such trouble: rain') });
  });
});
