import { SimDriver } from './driver';
import type { Container } from './host';
import { play, report, Shrinker } from './shrink';
import type { World, WorldOptions } from './world';

/** Kills what it starts. */
class KillingDriver extends SimDriver {
  protected override begin(container: Container): void {
    super.begin(container);
    void this.host.stop(container, 1_000);
  }
}

/** Brings a task back to life once two agents are down at the same time. */
function reviveWhenTwoAreDown({ agents, store }: World): void {
  if (agents.filter(({ isUp }) => !isUp).length < 2) return;
  const key = '/berth/v1/tasks/a/t';
  const put = (state: string) => {
    const spec = { taskId: 't', agentId: 'a', frameworkId: 'f', role: '*', info: {} };
    store.serverCommit([{ kind: 'put', key, value: JSON.stringify({ spec, status: { state } }) }]);
  };
  put('TASK_FAILED');
  put('TASK_RUNNING');
}

/** The first seed that violates anything. */
async function firstFailing(options: WorldOptions) {
  for (let seed = 1; seed < 30; seed++) {
    const outcome = await play(seed, options);
    if (outcome.violation !== undefined) return outcome;
  }
  throw new Error('nothing is violated');
}

/** With SIM_SEED only that seed runs. */
const describeShrinker = process.env['SIM_SEED'] === undefined ? describe : describe.skip;

describeShrinker('a failing run is made short', () => {
  test('a run played again from its decisions is the same run', async () => {
    const first = await play(3);
    const again = await play(3, { decisions: first.decisions });
    expect(first.decisions.length).toBeGreaterThanOrEqual(30);
    expect(again.history).toBe(first.history);
  });

  test.each<{ name: string; options: WorldOptions; invariant: string; most: number; what: RegExp }>([
    {
      name: 'one user is enough',
      options: { driver: KillingDriver },
      invariant: 'nothing is killed that nobody asked to kill',
      most: 1,
      what: /user/,
    },
    {
      name: 'two agents at once are needed',
      options: { sabotage: reviveWhenTwoAreDown },
      invariant: 'a terminal task stays so',
      most: 3,
      what: /killed|dies|power|damaged/,
    },
  ])('$name', async ({ options, invariant, most, what }) => {
    const found = await firstFailing(options);
    const { outcome, runs } = await new Shrinker(found, options).shrink();
    expect(outcome.violation?.invariant).toBe(invariant);
    expect(outcome.decisions.length).toBeLessThanOrEqual(most);
    expect(outcome.decisions.every((decision) => what.test(decision.what))).toBe(true);
    expect(runs).toBeLessThan(600);
    const again = await play(found.seed, { ...options, decisions: outcome.decisions });
    expect(again).toEqual(outcome);
    expect(report(again)).toContain(`${outcome.decisions.length} decisions:`);
  });

  test('no more runs than allowed', async () => {
    const options = { driver: KillingDriver };
    const { runs } = await new Shrinker(await firstFailing(options), options, 3).shrink();
    expect(runs).toBe(3);
  });
});
