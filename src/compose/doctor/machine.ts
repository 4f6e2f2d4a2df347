import { existsSync, readFileSync, statfsSync } from 'node:fs';
import { get as getPlain, type IncomingMessage } from 'node:http';
import { get as getTls } from 'node:https';
import { createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { dirname, resolve } from 'node:path';
import { execFile } from 'node:child_process';
import { isAtLeast, fail, ok, warn, type Finding } from './finding';

const LEAST_FREE_SHARE = 0.1;
const LEAST_FREE_BYTES = 1024 ** 3;
const OLDEST_NODE = '20.19';
const CALL_MS = 3_000;

export function judgeNode(version: string): Finding {
  const bare = version.replace(/^v/, '');
  return isAtLeast(bare, OLDEST_NODE)
    ? ok('node', version)
    : fail('node', `${version} is older than ${OLDEST_NODE}`, 'install a current LTS release of Node.js');
}

/** The kernel's own controllers: without them limits of tasks are empty words, whatever Docker says. */
export function lookAtCgroups(): Finding {
  const v2 = '/sys/fs/cgroup/cgroup.controllers';
  const controllers = existsSync(v2)
    ? readFileSync(v2, 'utf8').trim().split(' ')
    : ['memory', 'cpu', 'pids'].filter((name) => existsSync(`/sys/fs/cgroup/${name}`));
  const missing = ['memory', 'cpu', 'pids'].filter((name) => !controllers.includes(name));
  return missing.length === 0
    ? ok('kernel', `cgroup controllers ${controllers.join(', ')}`)
    : warn(
        'kernel',
        `no cgroup controller ${missing.join(', ')}`,
        'mount the cgroup file systems (package cgroupfs-mount), or boot with them enabled',
      );
}

export interface FreeSpace {
  readonly path: string;
  readonly freeBytes: number;
  readonly totalBytes: number;
}

/** Of the file system that the folder lies on, or will lie on. */
export function freeSpaceAt(folder: string): FreeSpace {
  let path = resolve(folder);
  while (!existsSync(path) && path !== dirname(path)) path = dirname(path);
  const { bavail, blocks, bsize } = statfsSync(path);
  return { path: folder, freeBytes: bavail * bsize, totalBytes: blocks * bsize };
}

export function judgeSpace({ path, freeBytes, totalBytes }: FreeSpace): Finding {
  const check = `disk ${path}`;
  const gib = (bytes: number) => `${(bytes / 1024 ** 3).toFixed(1)} GiB`;
  const what = `${gib(freeBytes)} of ${gib(totalBytes)} are free`;
  if (freeBytes < LEAST_FREE_BYTES)
    return fail(check, what, 'free some space: docker system prune, old logs, sandboxes (--gc-delay)');
  if (freeBytes < LEAST_FREE_SHARE * totalBytes)
    return warn(check, what, 'free some space soon: images, logs and sandboxes grow');
  return ok(check, what);
}

export interface PortLook {
  readonly name: string;
  readonly port: number;
  readonly flag: string;
  readonly state: 'free' | 'berth' | 'stranger' | 'forbidden';
}

/** A port that is taken is asked whether it is Berth that listens there. */
export async function lookAtPort(name: string, port: number, flag: string): Promise<PortLook> {
  const bound = await tryToListen(port);
  if (bound === undefined) return { name, port, flag, state: 'free' };
  if (bound === 'EACCES') return { name, port, flag, state: 'forbidden' };
  const isOurs = await answersAsBerth(port);
  return { name, port, flag, state: isOurs ? 'berth' : 'stranger' };
}

export function judgePort({ name, port, flag, state }: PortLook): Finding {
  const check = `port ${port}`;
  switch (state) {
    case 'free':
      return ok(check, `free for ${name}`);
    case 'berth':
      return ok(check, `${name} listens`);
    case 'forbidden':
      return fail(
        check,
        `this user may not listen on it (${name})`,
        `choose a port above 1023 (${flag}), or give the capability NET_BIND_SERVICE`,
      );
    case 'stranger':
      return fail(
        check,
        `another program listens where ${name} should`,
        `look who: ss -ltnp 'sport = :${port}'; stop it or choose another port (${flag})`,
      );
  }
}

/** Whether some service keeps the clock right; undefined where nobody can say. */
export async function clockIsKept(): Promise<boolean | undefined> {
  const timedatectl = await printed('timedatectl', ['show', '--property=NTPSynchronized', '--value']);
  if (timedatectl !== undefined) return timedatectl.trim() === 'yes';
  const chrony = await printed('chronyc', ['-n', 'tracking']);
  return chrony === undefined ? undefined : /Leap status\s*:\s*Normal/.test(chrony);
}

/** @param skewMs this machine's clock less that of the cluster; undefined: no cluster was asked */
export function judgeClock(isKept: boolean | undefined, skewMs: number | undefined): Finding {
  const skew = skewMs === undefined ? '' : `, ${(Math.abs(skewMs) / 1000).toFixed(0)} s from the server's`;
  if (skewMs !== undefined && Math.abs(skewMs) > 5_000)
    return fail(
      'clock',
      `wrong by ${(skewMs / 1000).toFixed(0)} s against the server`,
      'set the clock and keep it: apt-get install chrony',
    );
  if (isKept === false)
    return warn(
      'clock',
      `no time service keeps it${skew}`,
      'apt-get install chrony, or systemctl start systemd-timesyncd',
    );
  if (isKept === undefined) return ok('clock', `nobody here can say whether it is kept${skew}`);
  return ok('clock', `kept by a time service${skew}`);
}

function tryToListen(port: number): Promise<string | undefined> {
  return new Promise((done) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => done(error.code ?? 'error'));
    server.listen({ port, host: '0.0.0.0', exclusive: true }, () => server.close(() => done(undefined)));
  });
}

/**
 * Whether Berth's health answer comes from the port on any address of this machine: it may be bound to one of them only, and
 * every port may speak TLS.
 */
async function answersAsBerth(port: number): Promise<boolean> {
  const others = Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address));
  for (const host of new Set(['127.0.0.1', ...others]))
    if ((await saysOk(host, port, false)) || (await saysOk(host, port, true))) return true;
  return false;
}

function saysOk(host: string, port: number, tls: boolean): Promise<boolean> {
  return new Promise((done) => {
    const read = (response: IncomingMessage) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (body = (body + chunk).slice(0, 100)));
      response.on('end', () => done(response.statusCode === 200 && body.trim() === 'ok'));
      response.on('error', () => done(false));
    };
    const options = { host, port, path: '/healthz', timeout: CALL_MS };
    const request = tls ? getTls({ ...options, rejectUnauthorized: false }, read) : getPlain(options, read);
    request.on('timeout', () => request.destroy(new Error('timeout')));
    request.on('error', () => done(false));
  });
}

function printed(program: string, args: readonly string[]): Promise<string | undefined> {
  return new Promise((done) => {
    execFile(program, args, { timeout: CALL_MS }, (error, stdout) => done(error === null ? stdout : undefined));
  });
}
