import type { IdSource } from '../../src/core/ports/ids';
import type { Random } from '../../src/core/ports/random';
import { seededIds, seededRandom } from '../support/fakes';

/** Chance of one part of the simulation. Every part has its own, so that one more draw here changes nothing elsewhere. */
export class Dice {
  private readonly random: Random;

  constructor(seed: number) {
    this.random = seededRandom(seed);
  }

  /** In [0, 1). */
  share(): number {
    return this.random.next();
  }

  hit(probability: number): boolean {
    return this.random.next() < probability;
  }

  /** A whole number from `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + Math.floor(this.random.next() * (high - low + 1));
  }

  pick<T>(choices: readonly T[]): T | undefined {
    return choices[Math.floor(this.random.next() * choices.length)];
  }

  /** For choices that cannot be empty. */
  one<T>(first: T, ...others: readonly T[]): T {
    return [first, ...others][Math.floor(this.random.next() * (others.length + 1))] ?? first;
  }
}

/** Gives every part of a world its own chance, all drawn from one seed. Ask in a fixed order. */
export class Seeds {
  private readonly dice: Dice;

  constructor(seed: number) {
    this.dice = new Dice(seed * 7919 + 17);
  }

  dicePart(): Dice {
    return new Dice(this.next());
  }

  random(): Random {
    return seededRandom(this.next());
  }

  ids(): IdSource {
    return seededIds(this.next());
  }

  private next(): number {
    return this.dice.between(1, 2 ** 31 - 1);
  }
}
