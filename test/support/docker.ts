import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { request } from 'node:http';
import { tmpdir, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { killCgroup, processesOf, quietly, removeCgroups, signal, unmountBelow } from './leftovers';

/**
 * A private Docker engine for tests: its own containerd, data, socket, bridge and subnet; live-restore is on. It works beside
 * other engines in the same network namespace because it leaves iptables alone (published ports are served by docker-proxy).
 * Needs root, dockerd, containerd and ip.
 */
export interface TestDocker {
  readonly socketPath: string;
  /** First address of the engine's bridge. */
  readonly bridgeAddress: string;
  /** Process id of dockerd now. */
  pid(): number;
  /** Kills dockerd with SIGKILL; containers go on (live-restore). */
  kill9(): Promise<void>;
  /** Starts dockerd again, after kill9() or a graceful stop of the running one. */
  restart(): Promise<void>;
  /** SIGSTOP and SIGCONT: calls hang meanwhile. */
  pause(): void;
  resume(): void;
  /** Removes containers, processes, mounts, cgroups, bridge and files. Safe to call twice. */
  stop(): Promise<void>;
}

export interface TestDockerOptions {
  /** Lets dockerd write iptables rules (for tests of outgoing traffic). Only in a network namespace of your own. */
  readonly iptables?: boolean;
  readonly liveRestore?: boolean;
  readonly insecureRegistries?: readonly string[];
}

const PREFIX = 'bdk-';
const READY_MS = 30_000;
const EXIT_MS = 20_000;
const NAMES = { dockerd: 'docker.io', containerd: 'containerd', ip: 'iproute2' } as const;

/** Starts an engine and waits until it answers. Throws an error that says what is missing. */
export async function startDocker(options: TestDockerOptions = {}): Promise<TestDocker> {
  requirePrograms();
  await sweepOrphans();
  const engine = new Engine(options);
  try {
    await engine.start();
    return engine;
  } catch (error) {
    const log = engine.logTail();
    await engine.stop();
    throw new Error(`the private Docker engine did not start: ${String(error)}\n${log}`, { cause: error });
  }
}

class Engine implements TestDocker {
  readonly socketPath: string;
  readonly bridgeAddress: string;
  private readonly base = mkdtempSync(join(tmpdir(), PREFIX));
  private readonly bridge: string;
  private readonly cgroup: string;
  private containerd: ChildProcess | undefined;
  private dockerd: ChildProcess | undefined;
  private stopped = false;

  constructor(private readonly options: TestDockerOptions) {
    this.socketPath = join(this.base, 'docker.sock');
    const { bridge, address } = createBridge();
    this.bridge = bridge;
    this.bridgeAddress = address;
    this.cgroup = cgroupOf(bridge);
    writeFileSync(join(this.base, 'containerd.toml'), containerdConfig(this.base));
    const daemon = {
      'live-restore': options.liveRestore ?? true,
      'insecure-registries': options.insecureRegistries ?? [],
    };
    writeFileSync(join(this.base, 'daemon.json'), JSON.stringify(daemon));
    mkdirSync(join(this.base, 'exec'));
    writeFileSync(join(this.base, 'owner.json'), JSON.stringify({ pid: process.pid, bridge: this.bridge }));
  }

  async start(): Promise<void> {
    this.containerd = this.spawn('containerd', ['--config', join(this.base, 'containerd.toml')]);
    await until('containerd', READY_MS, () => existsSync(join(this.base, 'ctd', 'c.sock')), this.containerd);
    await this.startDockerd();
  }

  pid(): number {
    return this.dockerd?.pid ?? 0;
  }

  async kill9(): Promise<void> {
    await this.end('SIGKILL');
  }

  async restart(): Promise<void> {
    await this.end('SIGTERM');
    await this.startDockerd();
  }

  pause(): void {
    this.dockerd?.kill('SIGSTOP');
  }

  resume(): void {
    this.dockerd?.kill('SIGCONT');
  }

  async stop(): Promise<void> {
    if (this.stopped) return;
    this.stopped = true;
    if (this.dockerd !== undefined) {
      this.resume();
      await removeContainers(this.socketPath).catch(() => undefined);
    }
    await this.end('SIGTERM');
    await endProcess(this.containerd, 'SIGTERM');
    await wipe(this.base, this.bridge);
  }

  logTail(): string {
    const path = join(this.base, 'log');
    return existsSync(path) ? readFileSync(path, 'utf8').split('\n').slice(-25).join('\n') : '';
  }

  private async startDockerd(): Promise<void> {
    // A killed dockerd leaves its pid file, and the next one believes it even when the process is a zombie.
    rmSync(join(this.base, 'docker.pid'), { force: true });
    const iptables = String(this.options.iptables ?? false);
    this.dockerd = this.spawn('dockerd', [
      ...['--containerd', join(this.base, 'ctd', 'c.sock'), '--config-file', join(this.base, 'daemon.json')],
      ...['--data-root', join(this.base, 'data'), '--exec-root', join(this.base, 'exec')],
      ...['-H', `unix://${this.socketPath}`, '-p', join(this.base, 'docker.pid')],
      ...['--bridge', this.bridge, '--cgroup-parent', this.cgroup, '--storage-driver', 'overlay2'],
      ...[`--iptables=${iptables}`, `--ip-masq=${iptables}`, '--ip6tables=false'],
    ]);
    await until('dockerd', READY_MS, () => answers(this.socketPath), this.dockerd);
  }

  private async end(how: NodeJS.Signals): Promise<void> {
    const process = this.dockerd;
    this.dockerd = undefined;
    await endProcess(process, how);
  }

  private spawn(program: string, args: readonly string[]): ChildProcess {
    const log = openSync(join(this.base, 'log'), 'a');
    try {
      const child = spawn(program, args, { stdio: ['ignore', log, log], detached: true });
      child.on('error', () => undefined);
      return child;
    } finally {
      closeSync(log);
    }
  }
}

/** A test run that was cut off could not stop its engines: the next one does. */
async function sweepOrphans(): Promise<void> {
  for (const name of readdirSync(tmpdir()).filter((entry) => entry.startsWith(PREFIX))) {
    const base = join(tmpdir(), name);
    try {
      const owner = JSON.parse(readFileSync(join(base, 'owner.json'), 'utf8')) as { pid: number; bridge: string };
      if (!existsSync(`/proc/${owner.pid}`)) await wipe(base, owner.bridge);
    } catch {
      // Just being made or just being removed by another test.
    }
  }
}

/** Ends every process of the engine and removes everything it has made. */
async function wipe(base: string, bridge: string): Promise<void> {
  for (const pid of processesOf(base)) signal(pid, 'SIGKILL');
  await until('shims', EXIT_MS, () => processesOf(base).length === 0).catch(() => undefined);
  killCgroup(cgroupOf(bridge));
  unmountBelow(base);
  await until('cgroups', EXIT_MS, () => removeCgroups(cgroupOf(bridge))).catch(() => undefined);
  quietly('ip', ['link', 'delete', bridge]);
  rmSync(base, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}

function cgroupOf(bridge: string): string {
  return `/berth-test-${bridge}`;
}

function requirePrograms(): void {
  if (process.getuid?.() !== 0) throw new Error('tests with a private Docker engine need root');
  const missing = Object.entries(NAMES).filter(([program]) => !quietly('sh', ['-c', `command -v ${program}`]));
  if (missing.length === 0) return;
  const packages = missing.map(([, name]) => name).join(' ');
  throw new Error(`missing ${missing.map(([program]) => program).join(', ')}: apt-get install -y ${packages}`);
}

/** A bridge of our own on a subnet nobody here uses. The kernel refuses a name twice, so parallel tests cannot collide. */
function createBridge(): { bridge: string; address: string } {
  for (let attempt = 0; attempt < 100; attempt++) {
    const n = 1 + Math.floor(Math.random() * 60_000);
    const bridge = `bbr${n}`;
    const subnet = `172.${24 + (n % 6)}.${Math.floor(n / 6) % 255}`;
    if (subnetTaken(`${subnet}.`) || !quietly('ip', ['link', 'add', bridge, 'type', 'bridge'])) continue;
    execFileSync('ip', ['address', 'add', `${subnet}.1/24`, 'dev', bridge]);
    execFileSync('ip', ['link', 'set', bridge, 'up']);
    return { bridge, address: `${subnet}.1` };
  }
  throw new Error('cannot create a bridge: ip link add bbr… type bridge fails');
}

function subnetTaken(prefix: string): boolean {
  return Object.values(networkInterfaces()).some((list) => list?.some((entry) => entry.address.startsWith(prefix)));
}

function containerdConfig(base: string): string {
  const at = join(base, 'ctd');
  return `version = 2
root = "${at}/root"
state = "${at}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "${at}/c.sock"
`;
}

function answers(socketPath: string): Promise<boolean> {
  return call(socketPath, 'GET', '/_ping').then(
    ({ status }) => status === 200,
    () => false,
  );
}

async function removeContainers(socketPath: string): Promise<void> {
  const { body } = await call(socketPath, 'GET', '/containers/json?all=1');
  const ids = (JSON.parse(body) as { Id: string }[]).map(({ Id }) => Id);
  await Promise.all(ids.map((id) => call(socketPath, 'DELETE', `/containers/${id}?force=1&v=1`)));
}

function call(socketPath: string, method: string, path: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const req = request({ socketPath, method, path, timeout: 15_000 }, (res) => {
      let body = '';
      res.setEncoding('utf8');
      res.on('data', (chunk: string) => (body += chunk));
      res.on('end', () => resolve({ status: res.statusCode ?? 0, body }));
      res.on('error', reject);
    });
    req.on('timeout', () => req.destroy(new Error('timeout')));
    req.on('error', reject);
    req.end();
  });
}

/** Waits for a condition; fails at once when the process it depends on has ended. */
async function until(
  what: string,
  ms: number,
  done: () => boolean | Promise<boolean>,
  needs?: ChildProcess,
): Promise<void> {
  const deadline = Date.now() + ms;
  while (!(await done())) {
    if (needs !== undefined && (needs.exitCode !== null || needs.signalCode !== null || needs.pid === undefined))
      throw new Error(`${what} ended with ${needs.exitCode ?? needs.signalCode ?? 'an error'}`);
    if (Date.now() > deadline) throw new Error(`${what} was not ready within ${ms} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Signals our own child, kills it when it does not listen, and waits until it is reaped (a zombie counts as alive). */
async function endProcess(child: ChildProcess | undefined, how: NodeJS.Signals): Promise<void> {
  if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill(how);
  if (how === 'SIGKILL') child.kill('SIGCONT');
  const timer = setTimeout(() => child.kill('SIGKILL'), EXIT_MS);
  await exited;
  clearTimeout(timer);
}
