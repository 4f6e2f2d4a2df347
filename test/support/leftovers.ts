import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';

/** What private engines leave behind when they are killed, and how each kind of it is found and removed. */

/** Living processes (no zombies) whose command line names the folder: daemons, shims, docker-proxy. */
export function processesOf(folder: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => pid !== process.pid && commandOf(pid).includes(folder));
}

/** True for a process that runs or is stopped; false for a zombie, which `kill -0` takes for alive. */
export function isAlive(pid: number): boolean {
  const state = stateOf(pid);
  return state !== undefined && state !== 'Z' && state !== 'X';
}

/** The letter of `State:` in /proc/PID/status; undefined when there is no such process. */
export function stateOf(pid: number): string | undefined {
  try {
    return /^State:\s+(\w)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  } catch {
    return undefined;
  }
}

/** Unmounts everything below the folder, the deepest first. */
export function unmountBelow(folder: string): void {
  for (const point of mountsBelow(folder)) quietly('umount', ['-l', point]);
}

export function mountsBelow(folder: string): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((point) => point.startsWith(`${folder}/`))
    .toSorted((a, b) => b.length - a.length);
}

/** The folders of one cgroup and of its children, in every hierarchy, children first. */
export function cgroupFolders(name: string): string[] {
  const root = '/sys/fs/cgroup';
  return [root, ...readdirSync(root).map((entry) => join(root, entry))]
    .map((parent) => join(parent, name))
    .filter((path) => existsSync(path))
    .flatMap((path) => [...childFolders(path), path]);
}

/** Kills what still runs in the cgroup: without its shim a container's process is nobody's child. */
export function killCgroup(name: string): void {
  for (const folder of cgroupFolders(name)) for (const pid of pidsIn(folder)) signal(pid, 'SIGKILL');
}

/** True when nothing is left; a folder whose last process is just ending cannot go yet. */
export function removeCgroups(name: string): boolean {
  for (const folder of cgroupFolders(name)) {
    try {
      rmdirSync(folder);
    } catch {
      // Still busy.
    }
  }
  return cgroupFolders(name).length === 0;
}

export function signal(pid: number, how: NodeJS.Signals): void {
  try {
    process.kill(pid, how);
  } catch {
    // Already gone.
  }
}

/** Runs a program; false when it failed. */
export function quietly(program: string, args: readonly string[]): boolean {
  try {
    execFileSync(program, args, { stdio: 'ignore', timeout: 20_000 });
    return true;
  } catch {
    return false;
  }
}

function commandOf(pid: number): string {
  try {
    if (!isAlive(pid)) return '';
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

function childFolders(path: string): string[] {
  return readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(path, entry.name));
}

function pidsIn(folder: string): number[] {
  try {
    return readFileSync(join(folder, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}
