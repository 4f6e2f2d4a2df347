import { writeFileSync } from 'node:fs';
import type { BedNode } from '../network';
import { clockFile } from '../testbed';
import type { Heal } from './fault';

/**
 * The wall clock of the node's servers and agents jumps by so many seconds; the monotonic clock does not. Only in a bed with `faketime`.
 * etcd and dockerd do not ask libc for the time: their clocks stay.
 */
export function clockJump(node: BedNode, seconds: number): Heal {
  const set = (by: number) => writeFileSync(clockFile(node), `${by < 0 ? '' : '+'}${by}`);
  set(seconds);
  return async () => set(0);
}
