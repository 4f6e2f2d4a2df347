import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { StepFailure } from './failure';

/** What /proc tells about one live process. */
export interface ProcessFacts {
  readonly pid: number;
  /** Boot id and clock ticks from boot to its start: with the pid they name a process for good. */
  readonly started: string;
  readonly command: string;
}

/** A live process, or undefined. Zombies count as dead: nothing of them runs any more. */
export function processFacts(pid: number): ProcessFacts | undefined {
  const stat = readText(`/proc/${pid}/stat`);
  // The name is in parentheses and may itself hold parentheses and spaces; the fields after the last one are plain.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  const state = fields?.[0];
  const ticks = fields?.[19];
  if (state === undefined || ticks === undefined || state === 'Z' || state === 'X') return undefined;
  const command = (readText(`/proc/${pid}/cmdline`) ?? '').replaceAll('\0', ' ').trim();
  const boot = (readText('/proc/sys/kernel/random/boot_id') ?? '').trim();
  return { pid, started: `${boot}:${ticks}`, command };
}

/** The process that listens on a TCP port of this network namespace, as far as /proc lets us see. */
export function listenerOf(port: number): ProcessFacts | undefined {
  const inodes = new Set(['tcp', 'tcp6'].flatMap((table) => listeningInodes(table, port)));
  if (inodes.size === 0) return undefined;
  return processIds()
    .filter((pid) => openSockets(pid).some((inode) => inodes.has(inode)))
    .map(processFacts)
    .find((facts) => facts !== undefined);
}

/** Whether a server could listen on loopback at this port now. */
export function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => probe.close(() => resolve(true)));
  });
}

/** A port that was free a moment ago. Throws StepFailure when this machine cannot listen on loopback at all. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', (error) =>
      reject(
        new StepFailure('start', `nothing can listen on 127.0.0.1 (${error.message})`, { advice: 'ip link set lo up' }),
      ),
    );
    probe.listen({ port: 0, host: '127.0.0.1' }, () => {
      const address = probe.address();
      probe.close(() =>
        address === null || typeof address === 'string' ? reject(new Error('no port')) : resolve(address.port),
      );
    });
  });
}

function listeningInodes(table: string, port: number): string[] {
  const LISTEN = '0A';
  return (readText(`/proc/net/${table}`) ?? '')
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[3] === LISTEN && Number.parseInt(fields[1]?.split(':')[1] ?? '', 16) === port)
    .flatMap((fields) => fields[9] ?? []);
}

function openSockets(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => socketInode(`/proc/${pid}/fd/${fd}`) ?? []);
  } catch {
    return []; // ended meanwhile, or not ours to look into
  }
}

function socketInode(path: string): string | undefined {
  try {
    return /^socket:\[(\d+)\]$/.exec(readlinkSync(path))?.[1];
  } catch {
    return undefined;
  }
}

function processIds(): number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number);
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
