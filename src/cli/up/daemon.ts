import { codeOf, textOf } from '../error-text';
import { spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { waitFor } from '../wait';
import { processFacts, type ProcessFacts } from './process-table';
import { StepFailure } from './failure';

/** Bytes above which a log is put aside (one generation is kept) when its process is started again. */
const LOG_BYTES = 10 * 1024 * 1024;
/** Milliseconds a process gets between SIGTERM and SIGKILL, and after SIGKILL. dockerd takes up to 15 s. */
const PATIENCE = { termMs: 20_000, killMs: 5_000 };

const pidFileSchema = z.object({ pid: z.number().int().positive(), started: z.string(), command: z.string() });

/**
 * A background process with a pid file and a log. The pid file names pid and start time, so that a pid which meanwhile
 * belongs to somebody else is never taken for ours, let alone killed.
 */
export class Daemon {
  readonly logFile: string;
  private readonly pidFile: string;

  constructor(
    readonly name: string,
    folder: string,
    private readonly patience = PATIENCE,
  ) {
    this.logFile = join(folder, 'logs', `${name}.log`);
    this.pidFile = join(folder, 'run', `${name}.json`);
  }

  /** The live process of the pid file, if it is still the one that was started. */
  running(): ProcessFacts | undefined {
    const noted = this.readPidFile();
    if (noted === undefined) return undefined;
    const facts = processFacts(noted.pid);
    return facts?.started === noted.started ? facts : undefined;
  }

  /** Starts it in a session of its own, output appended to the log. Throws StepFailure if it cannot be started at all. */
  async start(command: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
    for (const folder of [join(this.logFile, '..'), join(this.pidFile, '..')]) mkdirSync(folder, { recursive: true });
    if (existsSync(this.logFile) && statSync(this.logFile).size > LOG_BYTES)
      renameSync(this.logFile, `${this.logFile}.1`);
    const log = openSync(this.logFile, 'a', 0o600);
    try {
      const pid = await spawned(command, args, env, log);
      const facts = processFacts(pid);
      if (facts === undefined) throw new Error('it ended at once');
      writeWhole(this.pidFile, JSON.stringify({ ...facts, command: [command, ...args].join(' ') }));
    } catch (error) {
      throw new StepFailure(this.name, textOf(error), {
        logFile: this.logFile,
        cause: error,
      });
    } finally {
      closeSync(log);
    }
  }

  /** Waits until `isReady`; throws StepFailure as soon as the process has ended, or when `timeoutMs` have passed. */
  async ready(what: string, timeoutMs: number, isReady: () => Promise<boolean>): Promise<void> {
    const done = await waitFor(timeoutMs, async () => {
      if (await isReady()) return true;
      if (this.running() !== undefined) return undefined;
      throw new StepFailure(this.name, 'ended before it was ready', { logFile: this.logFile });
    });
    if (done !== undefined) return;
    throw new StepFailure(this.name, `${what} within ${timeoutMs / 1000} s`, { logFile: this.logFile });
  }

  /** SIGTERM, after a while SIGKILL. Resolves with false when nothing of ours ran. Throws StepFailure if it does not go. */
  async stop(): Promise<boolean> {
    const found = this.running();
    if (found === undefined) {
      rmSync(this.pidFile, { force: true });
      return false;
    }
    if (
      !(await this.signal(found, 'SIGTERM', this.patience.termMs)) &&
      !(await this.signal(found, 'SIGKILL', this.patience.killMs))
    )
      throw new StepFailure(this.name, `process ${found.pid} does not end`, { logFile: this.logFile });
    rmSync(this.pidFile, { force: true });
    return true;
  }

  private async signal(found: ProcessFacts, signal: NodeJS.Signals, timeoutMs: number): Promise<boolean> {
    try {
      process.kill(found.pid, signal);
    } catch (error) {
      const code = codeOf(error);
      if (code !== 'ESRCH')
        throw new StepFailure(this.name, `process ${found.pid} cannot be stopped (${code ?? textOf(error)})`, {
          advice: 'stop it as the user who started it, or as root',
          cause: error,
        });
    }
    return (await waitFor(timeoutMs, () => (this.running() === undefined ? true : undefined))) ?? false;
  }

  private readPidFile(): z.infer<typeof pidFileSchema> | undefined {
    try {
      return pidFileSchema.parse(JSON.parse(readFileSync(this.pidFile, 'utf8')));
    } catch {
      return undefined; // none, or cut short by a crash: then we do not know a process, and kill none
    }
  }
}

/** A crash leaves the old file or the new one, never half of one. */
function writeWhole(path: string, content: string): void {
  writeFileSync(`${path}.new`, content);
  renameSync(`${path}.new`, path);
}

function spawned(command: string, args: readonly string[], env: NodeJS.ProcessEnv, log: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { detached: true, stdio: ['ignore', log, log], env });
    child.once('error', reject);
    child.once('spawn', () => {
      child.unref();
      if (child.pid === undefined) reject(new Error('it has no process id'));
      else resolve(child.pid);
    });
  });
}
