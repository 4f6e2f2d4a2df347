import type { Random } from '../ports/random';

/** An inclusive range of ports. */
export type PortRange = readonly [begin: number, end: number];

export function countPorts(ranges: readonly PortRange[]): number {
  let count = 0;
  for (const [begin, end] of ranges) count += end - begin + 1;
  return count;
}

export function hasPort(ranges: readonly PortRange[], port: number): boolean {
  return ranges.some(([begin, end]) => begin <= port && port <= end);
}

/** Changes `ranges` in place: `port`, which must be in it, is free no more. */
export function takePort(ranges: PortRange[], port: number): void {
  const at = ranges.findIndex(([begin, end]) => begin <= port && port <= end);
  const range = ranges[at];
  if (range === undefined) throw new Error(`port ${port} is not free`);
  cut(ranges, at, port);
}

/** Takes `port` out of the range at `at`, which holds it. */
function cut(ranges: PortRange[], at: number, port: number): void {
  const [begin, end] = ranges[at] ?? [port, port];
  if (begin === port && end === port) ranges.splice(at, 1);
  else if (begin === port) ranges[at] = [port + 1, end];
  else if (end === port) ranges[at] = [begin, port - 1];
  else {
    ranges[at] = [begin, port - 1];
    ranges.push([port + 1, end]);
  }
}

/**
 * Changes `ranges` in place: takes a random free port. Marathon does the same: a port that was just given back must not be
 * taken again at once. Undefined: none is free.
 */
export function takeRandomPort(ranges: PortRange[], random: Random): number | undefined {
  let left = Math.floor(random.next() * countPorts(ranges));
  for (let at = 0; at < ranges.length; at++) {
    const [begin, end] = ranges[at] ?? [0, -1];
    const size = end - begin + 1;
    if (left < size) {
      cut(ranges, at, begin + left);
      return begin + left;
    }
    left -= size;
  }
  return undefined;
}
