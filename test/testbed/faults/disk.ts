import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, rmdirSync, statSync, statfsSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { AgentHost } from '../agent-host';
import type { BedProcess } from '../bed-process';
import { shell } from '../network';
import type { Heal } from './fault';

const BLKIO = '/sys/fs/cgroup/blkio';

/**
 * Mounts a disk of `megabytes` on a folder of the host, by default on the engine's data; to be called before anything writes there
 * (`prepareHost`).
 */
export function smallDisk(host: AgentHost, megabytes: number, folder = host.dataRoot): void {
  const file = join(host.node.dir, `${basename(folder)}.img`);
  mkdirSync(folder, { recursive: true });
  // Without -m 0 root keeps a reserve of 5 %.
  shell([`truncate -s ${megabytes}M ${file}`, `mkfs.ext4 -q -m 0 ${file}`, `mount -o loop ${file} ${folder}`]);
}

/** Fills such a disk to the last block. */
export function diskFull(host: AgentHost, folder = host.dataRoot): Heal {
  const ballast = join(folder, 'ballast');
  const { bavail, bsize } = statfsSync(folder);
  execFileSync('sh', ['-c', `dd if=/dev/zero of=${ballast} bs=${bsize} count=${bavail} 2>/dev/null || true`], {
    timeout: 60_000,
  });
  return async () => rmSync(ballast, { force: true });
}

/** Fills the disk that an agent writes its checkpoints and sandboxes to; in memory, and empty but for what was there. The agent must not run. */
export function agentDisk(host: AgentHost, kilobytes: number): { readonly fill: () => Heal } {
  const { workDir } = host;
  const aside = `${workDir}.below`;
  shell([`mkdir ${aside}`, `cp -a ${workDir}/. ${aside}`, `mount -t tmpfs -o size=${kilobytes}k tmpfs ${workDir}`]);
  shell([`cp -a ${aside}/. ${workDir}`, `rm -r ${aside}`]);
  return {
    fill: () => {
      const ballast = join(workDir, 'ballast');
      execFileSync('sh', ['-c', `cat /dev/zero > ${ballast} 2>/dev/null || true`], { timeout: 60_000 });
      return async () => rmSync(ballast, { force: true });
    },
  };
}

/** True where the kernel can slow a disk down (cgroup v1 with blkio). */
export function canSlowDisk(): boolean {
  return existsSync(join(BLKIO, 'cgroup.procs')) || existsSync(join(BLKIO, 'tasks'));
}

/** The process may write so many times a second to the disk of `folder`. Throws where the kernel cannot do it: `canSlowDisk`. */
export function slowDisk(name: string, process: BedProcess, folder: string, writesPerSecond: number): Heal {
  const group = join(BLKIO, `berth-bed-${name}`);
  if (!existsSync(group)) mkdirSync(group);
  writeFileSync(join(group, 'blkio.throttle.write_iops_device'), `${diskOf(folder)} ${writesPerSecond}`);
  writeFileSync(join(group, 'cgroup.procs'), String(process.pid));
  return async () => {
    if (!existsSync(group)) return;
    if (process.pid !== 0) writeFileSync(join(BLKIO, 'cgroup.procs'), String(process.pid));
    rmdirSync(group);
  };
}

/** `MAJOR:MINOR` of the whole disk below the folder's file system: partitions cannot be throttled. */
function diskOf(folder: string): string {
  const { dev } = statSync(folder);
  const [major, minor] = [(dev >> 8) & 0xfff, (dev & 0xff) | ((dev >> 12) & 0xfff00)];
  const disks = readdirSync('/sys/block');
  const holds = (disk: string) =>
    [`/sys/block/${disk}`, ...partitions(disk)].some((at) => numberOf(at) === `${major}:${minor}`);
  const disk = disks.find(holds);
  if (disk === undefined)
    throw new Error(`no disk found below ${folder}: device ${major}:${minor} is none of ${disks.join(', ')}`);
  return numberOf(`/sys/block/${disk}`);
}

function partitions(disk: string): string[] {
  return readdirSync(`/sys/block/${disk}`)
    .filter((name) => name.startsWith(disk))
    .map((name) => `/sys/block/${disk}/${name}`);
}

function numberOf(block: string): string {
  return execFileSync('cat', [join(block, 'dev')], { encoding: 'utf8', timeout: 5_000 }).trim();
}
