import { execFile } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { packageRoot } from '../package-root';
import { waitFor } from '../wait';
import type { ClusterFolder, ClusterState } from './cluster-state';
import { DockerEngine, type EngineInfo } from './docker-engine';
import { findExecutable, requireExecutable } from './executables';
import { StepFailure } from './failure';

export const DEFAULT_SOCKET = '/var/run/docker.sock';

type StartedBy = ClusterState['docker']['startedBy'];

/** The socket that was asked for: flag, DOCKER_HOST, Docker's usual one. Throws StepFailure for a DOCKER_HOST on the net. */
export function socketPath(flag: string | undefined, env: NodeJS.ProcessEnv): string {
  if (flag !== undefined) return flag;
  const host = env['DOCKER_HOST'] ?? '';
  if (host === '') return DEFAULT_SOCKET;
  if (host.startsWith('unix://')) return host.slice('unix://'.length);
  throw new StepFailure('Docker', `DOCKER_HOST is ${host}, but the agent runs containers on this machine only`, {
    advice: 'unset DOCKER_HOST, or name a local socket with --docker-socket',
  });
}

/** Makes sure that an engine answers on the socket; says who started it. Throws StepFailure. */
export async function ensureEngine(
  folder: ClusterFolder,
  socket: string,
  before: StartedBy,
  timeoutMs: number,
  env: NodeJS.ProcessEnv,
): Promise<{ readonly startedBy: StartedBy; readonly info: EngineInfo }> {
  const engine = new DockerEngine(socket);
  const first = await engine.info();
  if (!('unreachable' in first)) return { startedBy: before, info: first };
  if (first.unreachable === 'permission denied')
    throw new StepFailure('Docker', `${socket}: permission denied`, {
      advice: 'run as root, or as a member of the group docker',
      cause: first,
    });
  requireExecutable('Docker', 'dockerd', 'docker.io', env);
  if (process.getuid?.() !== 0)
    throw new StepFailure('Docker', `no engine answers on ${socket}, and only root can start one`, {
      advice: 'start Docker (`sudo systemctl start docker`), or run this as root',
    });
  const startedBy = hasSystemd() && socket === DEFAULT_SOCKET ? 'systemd' : 'up';
  if (startedBy === 'systemd') await systemctl('start', timeoutMs);
  else await startOwnEngine(folder, socket, timeoutMs, env);
  const info = await waitFor(timeoutMs, async () => {
    const answer = await engine.info();
    return 'unreachable' in answer ? undefined : answer;
  });
  if (info !== undefined) return { startedBy, info };
  throw new StepFailure('Docker', `does not answer on ${socket}`, { advice: 'journalctl -u docker tells why' });
}

/** Stops an engine that ensureEngine started, and takes its mounts and sockets away. Data stays. */
export async function stopEngine(folder: ClusterFolder, startedBy: StartedBy, timeoutMs: number): Promise<boolean> {
  if (startedBy === 'nobody') return false;
  if (startedBy === 'systemd') {
    await systemctl('stop', timeoutMs);
    return true;
  }
  const stopped = await folder.daemon('dockerd').stop();
  await folder.daemon('containerd').stop();
  await promisify(execFile)('/bin/sh', [engineScript(), 'clean', folder.inside('docker')], {
    timeout: timeoutMs,
    env: engineEnvironment(process.env),
  });
  await unmountUnder(folder.engineRunFolder());
  await unmountUnder(folder.inside('docker'));
  rmSync(folder.engineRunFolder(), { recursive: true, force: true });
  return stopped;
}

async function startOwnEngine(
  folder: ClusterFolder,
  socket: string,
  timeoutMs: number,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  requireExecutable('Docker', 'containerd', 'containerd', env);
  const script = engineScript();
  const [data, run] = [folder.inside('docker'), folder.engineRunFolder()];
  const containerd = folder.daemon('containerd');
  if (containerd.running() === undefined) {
    await containerd.start('/bin/sh', [script, 'containerd', data, run], engineEnvironment(env));
    await containerd.ready('gives no socket', timeoutMs, () =>
      Promise.resolve(existsSync(join(run, 'containerd.sock'))),
    );
  }
  const dockerd = folder.daemon('dockerd');
  if (dockerd.running() === undefined)
    await dockerd.start('/bin/sh', [script, 'dockerd', data, run, socket], engineEnvironment(env));
  const engine = new DockerEngine(socket);
  await dockerd.ready(`does not answer on ${socket}`, timeoutMs, async () => !('unreachable' in (await engine.info())));
}

function engineScript(): string {
  return join(packageRoot(), 'deploy', 'dockerd.sh');
}

/** The daemons call iptables, runc and mount, which live where a user's PATH may not go. */
function engineEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return { ...env, PATH: `${env['PATH'] ?? ''}:/usr/sbin:/sbin:/usr/bin:/bin` };
}

function hasSystemd(): boolean {
  return existsSync('/run/systemd/system') && findExecutable('systemctl', process.env) !== undefined;
}

async function systemctl(verb: 'start' | 'stop', timeoutMs: number): Promise<void> {
  const units = verb === 'stop' ? ['docker.service', 'docker.socket'] : ['docker.service'];
  try {
    await promisify(execFile)('systemctl', [verb, ...units], { timeout: timeoutMs });
  } catch (error) {
    throw new StepFailure('Docker', `systemctl ${verb} docker failed`, {
      advice: '`journalctl -u docker` tells why',
      cause: error,
    });
  }
}

/** Detaches what an engine has left mounted, so that removing the folder cannot reach into another file system. */
export async function unmountUnder(path: string): Promise<void> {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .flatMap((line) => line.split(' ')[4] ?? [])
    .map((mount) =>
      mount.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))),
    )
    .filter((mount) => mount.startsWith(`${path}/`))
    .reverse(); // the innermost last mounted goes first
  for (const mount of mounts) await promisify(execFile)('umount', ['--lazy', mount], { timeout: 10_000 });
}
