import { at, fault, place, type Fault } from './fault';

/** Wall clocks that are wrong, or are set right. */
export const CLOCK_FAULTS: readonly Fault[] = [
  fault({
    name: 'all clocks jump',
    weight: 0.5,
    draw: (dice) => ({ byMs: dice.one(-600_000, -5_000, 5_000, 60_000, 3_600_000) }),
    begin: ({ clock, history }, { byMs }) => {
      history.note(`the wall clock jumps by ${byMs / 1000} s`);
      clock.jumpWallClock(byMs);
    },
  }),
  fault({
    name: 'one clock is wrong',
    weight: 0.7,
    draw: (dice) => ({
      isServer: dice.hit(0.5),
      index: place(dice),
      byMs: dice.one(-3_600_000, 3_600_000, 0),
    }),
    begin: ({ servers, agents, history }, { isServer, index, byMs }) => {
      const node = at<{ readonly name: string; readonly machine: { wallOffsetMs: number } }>(
        isServer ? servers : agents,
        index,
      );
      if (node === undefined) return;
      history.note(`the clock of ${node.name} is ${byMs / 1000} s ahead`);
      node.machine.wallOffsetMs = byMs;
    },
  }),
];
