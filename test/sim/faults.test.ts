import { type Decision, FAULTS } from './decisions';
import { Dice } from './dice';
import { play } from './shrink';
import { USER_ACT } from './faults/user-acts';

/** Users who keep the cluster busy, and one kind of trouble again and again. */
function onlyThis(name: string): Decision[] {
  const dice = new Dice(5);
  const fault = FAULTS.find((candidate) => candidate.name === name);
  if (fault === undefined) throw new Error(`no fault ${name}`);
  return Array.from({ length: 6 }, () => [
    { waitMs: 500, what: USER_ACT.name, how: USER_ACT.draw(dice) },
    { waitMs: 1_000, what: name, how: fault.draw(dice) },
    { waitMs: 200, what: USER_ACT.name, how: USER_ACT.draw(dice) },
  ]).flat();
}

/** With SIM_SEED only that seed runs. */
const describeFaults = process.env['SIM_SEED'] === undefined ? describe : describe.skip;

describeFaults('each kind of trouble by itself', () => {
  test.each(FAULTS.map(({ name }) => name))(
    '%s: nothing is violated, everything is as wanted in the end',
    async (name) => {
      const { violation } = await play(11, { decisions: onlyThis(name) });
      expect(violation?.text).toBeUndefined();
    },
  );

  test('names are unique, so that a run can be written down', () => {
    expect(new Set(FAULTS.map(({ name }) => name)).size).toBe(FAULTS.length);
  });
});
