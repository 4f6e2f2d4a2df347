import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';

/** A program of ours under test, with its output in a file. */
export interface RunningProcess {
  readonly pid: number;
  readonly logFile: string;
  /** Sends the signal and waits until the process is gone (unless STOP or CONT). */
  kill(signal: NodeJS.Signals): Promise<void>;
  exited(): boolean;
  log(): string;
}

export function startProcess(
  command: readonly string[],
  logFile: string,
  env: Readonly<Record<string, string>> = {},
): RunningProcess {
  const out = openSync(logFile, 'a');
  const [program = '', ...args] = command;
  const child = spawn(program, args, { stdio: ['ignore', out, out], env: { ...process.env, ...env } });
  closeSync(out);
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  return {
    pid: child.pid ?? -1,
    logFile,
    exited: () => hasExited(child),
    log: () => readFileSync(logFile, 'utf8'),
    async kill(signal) {
      if (hasExited(child)) return;
      child.kill(signal);
      if (signal !== 'SIGSTOP' && signal !== 'SIGCONT') await withTimeout(ended, 20_000, `${program} to end`);
    },
  };
}

function hasExited(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null || child.pid === undefined;
}

export async function withTimeout<T>(promise: Promise<T>, timeoutMs: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${timeoutMs} ms for ${what}`)), timeoutMs);
  });
  return Promise.race([promise, limit]).finally(() => clearTimeout(timer));
}

/** Ports of loopback that are free now; all different. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen(0, '127.0.0.1', resolve);
      });
      return server;
    }),
  );
  const ports = servers.map((server) => {
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    return address.port;
  });
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
