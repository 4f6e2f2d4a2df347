import type { BedProcess } from '../bed-process';
import type { Heal } from './fault';

/** kill -9; healed by a new start. */
export async function crash(process: BedProcess): Promise<Heal> {
  await process.kill('SIGKILL');
  return async () => process.start();
}

/** SIGSTOP: a long pause of the collector, a virtual machine that is moved, an engine that hangs. */
export async function stall(process: BedProcess): Promise<Heal> {
  await process.kill('SIGSTOP');
  return async () => process.kill('SIGCONT');
}
