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
  const [begin, end] = range;
  const rest: PortRange[] = [];
  if (begin < port) rest.push([begin, port - 1]);
  if (port < end) rest.push([port + 1, end]);
  ranges.splice(at, 1, ...rest);
}

/** Changes `ranges` in place: gives `port` back. */
export function freePort(ranges: PortRange[], port: number): void {
  ranges.push([port, port]);
}

/** The port at position `offset` of all free ones. */
function portAt(ranges: readonly PortRange[], offset: number): number | undefined {
  let left = offset;
  for (const [begin, end] of ranges) {
    const size = end - begin + 1;
    if (left < size) return begin + left;
    left -= size;
  }
  return undefined;
}

/**
 * A free port that is not in `except`: a random one, or the next free one after it (Marathon: random start, then in order).
 * Random ports keep a port that was just given back from being taken again at once.
 */
export function pickPort(
  ranges: readonly PortRange[],
  except: ReadonlySet<number>,
  random: Random,
): number | undefined {
  const count = countPorts(ranges);
  const start = Math.floor(random.next() * count);
  for (let step = 0; step <= except.size && step < count; step++) {
    const port = portAt(ranges, (start + step) % count);
    if (port !== undefined && !except.has(port)) return port;
  }
  return undefined;
}
