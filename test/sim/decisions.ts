import type { Dice } from './dice';
import { AGENT_FAULTS } from './faults/agent-faults';
import { CLOCK_FAULTS } from './faults/clock-faults';
import { ENGINE_FAULTS } from './faults/engine-faults';
import type { Fault, How, Stage } from './faults/fault';
import { SERVER_FAULTS } from './faults/server-faults';
import { STORE_FAULTS } from './faults/store-faults';
import { USER_ACT } from './faults/user-acts';

/** One thing that happens to a world: after so many milliseconds, what, and how. Plain data. */
export interface Decision {
  readonly waitMs: number;
  readonly what: string;
  readonly how: How;
}

export const FAULTS: readonly Fault[] = [
  ...SERVER_FAULTS,
  ...STORE_FAULTS,
  ...AGENT_FAULTS,
  ...ENGINE_FAULTS,
  ...CLOCK_FAULTS,
];

const BY_NAME = new Map([...FAULTS, USER_ACT].map((fault) => [fault.name, fault]));

/** The trouble that dice think of, without end. Does not depend on what becomes of it. */
export function* drawn(dice: Dice): Generator<Decision, never> {
  for (;;) {
    const waitMs = dice.one(0, 50, 400, 1_500, 3_000);
    if (dice.hit(0.5)) yield { waitMs, what: USER_ACT.name, how: USER_ACT.draw(dice) };
    else yield { ...drawFrom(FAULTS, dice), waitMs };
  }
}

/** One of these, by weight, at once. */
export function drawFrom(faults: readonly Fault[], dice: Dice): Decision {
  let left = dice.share() * faults.reduce((sum, { weight }) => sum + weight, 0);
  const fault = faults.find(({ weight }) => (left -= weight) < 0) ?? USER_ACT;
  return { waitMs: 0, what: fault.name, how: fault.draw(dice) };
}

/** Makes it happen. Throws when there is no such thing. */
export function perform(stage: Stage, { what, how }: Decision): void {
  const fault = BY_NAME.get(what);
  if (fault === undefined) throw new Error(`no such trouble: ${what}`);
  fault.begin(stage, how);
}

/** One line for people. */
export function described({ waitMs, what, how }: Decision): string {
  const details = Object.entries(how).map(([name, value]) => `${name}=${value}`);
  return [`after ${waitMs} ms:`, what, ...details].join(' ');
}
