import { existsSync, statfsSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { dirname, resolve } from 'node:path';
import type { Resource } from '../../core/records/mesos';

const MIB = 1024 * 1024;
const GIB_IN_MIB = 1024;

/**
 * What the node has, for every resource the operator did not name (Mesos): all cores; memory less 1 GB, or half below 2 GB; disk of
 * the work directory less 5 GB, or half below 10 GB; ports 31000 to 32000.
 */
export function hostResources(workDir: string, given: readonly Resource[] = []): Resource[] {
  const named = new Set(given.map((resource) => resource.name));
  const detected: Resource[] = [
    scalar('cpus', availableParallelism()),
    scalar('mem', leftOf(Math.floor(totalmem() / MIB), GIB_IN_MIB)),
    scalar('disk', leftOf(diskMib(workDir), 5 * GIB_IN_MIB)),
    { name: 'ports', type: 'RANGES', ranges: { range: [{ begin: 31_000, end: 32_000 }] } },
  ];
  return [...given, ...detected.filter((resource) => !named.has(resource.name))];
}

/** `total` less what the machine keeps for itself; half when that would be half or more. */
export function leftOf(total: number, kept: number): number {
  return total < 2 * kept ? Math.floor(total / 2) : total - kept;
}

function diskMib(path: string): number {
  let at = resolve(path);
  while (!existsSync(at) && at !== dirname(at)) at = dirname(at);
  const { blocks, bsize } = statfsSync(at);
  return Math.floor((blocks * bsize) / MIB);
}

function scalar(name: string, value: number): Resource {
  return { name, type: 'SCALAR', scalar: { value } };
}
