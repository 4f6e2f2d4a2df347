import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { get } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface EtcdOptions {
  /** More command-line arguments, e.g. `['--quota-backend-bytes', '2000000']`. */
  readonly args?: readonly string[];
  /** Replaces the listen scheme: `https` needs the certificate arguments in `args`. */
  readonly scheme?: 'http' | 'https';
  /** Program to run; `etcd` of the PATH by default. */
  readonly binary?: string;
}

/** A real etcd of one member on loopback, with its data in a temporary folder. */
export interface RealEtcd {
  /** `http://127.0.0.1:<port>` */
  readonly endpoint: string;
  readonly dataDir: string;
  /** Of the process that runs now; changes with restart(). */
  readonly pid: number;
  /** Sends a signal. Resolves when the process is gone (SIGKILL, SIGTERM), stands still (SIGSTOP) or runs (SIGCONT). */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Starts it again on the same port and data, and waits until it answers. */
  restart(): Promise<void>;
  /** Kills it if it runs, and removes the data. Safe to call twice. */
  stop(): Promise<void>;
}

const READY_MS = 20_000;
const HOW_TO_INSTALL = 'etcd is not installed: `apt-get install etcd-server` (or put `etcd` 3.4 or newer on the PATH)';

/** Starts an etcd; throws with the reason (missing binary, its own last words) when it does not come up. */
export async function startEtcd(options: EtcdOptions = {}): Promise<RealEtcd> {
  const [clientPort, peerPort] = [await freePort(), await freePort()];
  const etcd = new EtcdProcess(clientPort, peerPort, options);
  try {
    await etcd.restart();
  } catch (error) {
    await etcd.stop();
    throw error;
  }
  return etcd;
}

class EtcdProcess implements RealEtcd {
  readonly endpoint: string;
  readonly dataDir = mkdtempSync(join(tmpdir(), 'berth-etcd-'));
  private child: ChildProcess | undefined;
  private readonly logFile = join(this.dataDir, 'etcd.log');
  private readonly onExit = () => this.child?.kill('SIGKILL');

  constructor(
    clientPort: number,
    private readonly peerPort: number,
    private readonly options: EtcdOptions,
  ) {
    this.endpoint = `${options.scheme ?? 'http'}://127.0.0.1:${clientPort}`;
  }

  get pid(): number {
    const pid = this.child?.pid;
    if (pid === undefined) throw new Error('etcd does not run');
    return pid;
  }

  async kill(signal: NodeJS.Signals): Promise<void> {
    const child = this.child;
    if (child === undefined) return;
    if (signal !== 'SIGKILL' && signal !== 'SIGTERM') {
      child.kill(signal);
      const stopped = signal === 'SIGSTOP';
      if (stopped || signal === 'SIGCONT') await until(() => isStopped(this.pid) === stopped, `etcd heard ${signal}`);
      return;
    }
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    await gone;
    this.child = undefined;
  }

  async restart(): Promise<void> {
    await this.kill('SIGKILL');
    const peer = `http://127.0.0.1:${this.peerPort}`;
    const log = openSync(this.logFile, 'w');
    const [command, args] = dieWithParent(this.options.binary ?? 'etcd', [
      ...['--name', 'test', '--data-dir', join(this.dataDir, 'data')],
      ...['--listen-client-urls', this.endpoint, '--advertise-client-urls', this.endpoint],
      ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer, '--initial-cluster', `test=${peer}`],
      ...['--heartbeat-interval', '20', '--election-timeout', '200'], // a single member: ready in a fifth of the time
      ...['--logger', 'zap', '--log-outputs', 'stderr', ...(this.options.args ?? [])],
    ]);
    const child = spawn(command, args, { stdio: ['ignore', log, log] });
    closeSync(log);
    this.child = child;
    process.once('exit', this.onExit);
    await this.answers(child);
  }

  async stop(): Promise<void> {
    await this.kill('SIGKILL');
    process.removeListener('exit', this.onExit);
    rmSync(this.dataDir, { recursive: true, force: true });
  }

  /** Throws when the process ends before it answers. */
  private async answers(child: ChildProcess): Promise<void> {
    let failure: Error | undefined;
    child.once('error', (error) => (failure = missing(error) ? new Error(HOW_TO_INSTALL) : error));
    child.once('exit', (code) => (failure = new Error(`etcd ended with ${code}: ${this.lastWords()}`)));
    const answers = this.options.scheme === 'https' ? () => this.listens() : () => this.healthy();
    await until(async () => failure !== undefined || (await answers()), 'etcd answers');
    if (failure !== undefined) throw failure;
  }

  private async healthy(): Promise<boolean> {
    return (await httpStatus(`${this.endpoint}/health`)) === 200;
  }

  /** With client certificates /health cannot be asked from here: wait for its own line in the log. */
  private listens(): boolean {
    return /serving client traffic/.test(readFileSync(this.logFile, 'utf8'));
  }

  private lastWords(): string {
    const lines = readFileSync(this.logFile, 'utf8').trim().split('\n');
    return [...lines.slice(0, 2), ...lines.slice(2).slice(-4)].join('\n');
  }
}

/** `setpriv` ends etcd even when the test process is killed -9; without it the exit handler has to do. */
function dieWithParent(binary: string, args: readonly string[]): [string, string[]] {
  const setpriv = '/usr/bin/setpriv';
  return existsSync(setpriv) && onPath(binary)
    ? [setpriv, ['--pdeathsig', 'KILL', binary, ...args]]
    : [binary, [...args]];
}

function onPath(program: string): boolean {
  return (process.env['PATH'] ?? '').split(':').some((folder) => existsSync(join(folder, program)));
}

/** Signals arrive a moment after they were sent. */
function isStopped(pid: number): boolean {
  return /^State:\s+T/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
}

function missing(error: Error): boolean {
  return 'code' in error && error.code === 'ENOENT';
}

/** A port that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = address !== null && typeof address === 'object' ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

/** Waits for a condition, asking every 20 ms; throws after `timeoutMs`. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  timeoutMs = READY_MS,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function httpStatus(url: string): Promise<number> {
  return new Promise((resolve) => {
    const request = get(url, { timeout: 1000 }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    request.once('timeout', () => request.destroy());
    request.once('error', () => resolve(0));
  });
}
