import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { isAlive, signal, stateOf } from '../support/leftovers';
import { waitFor } from '../support/wait';

const EXIT_MS = 20_000;

export interface ProcessOptions {
  readonly command: readonly string[];
  /** Name of the network namespace; undefined: the runner's own. */
  readonly netns?: string;
  /** Its output is appended here. */
  readonly logFile: string;
  /** The id of the process is kept here, so that another program can find it. */
  readonly pidFile: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Its own name of the machine; undefined: the runner's. */
  readonly hostname?: string;
}

/** A daemon of the bed. It outlives the program that has started it; every wait for it is bounded. */
export class BedProcess {
  /** Added to the environment at the next start, e.g. a crash point or a fake clock. */
  extraEnv: Readonly<Record<string, string>> = {};
  /** Added to the command at the next start. */
  extraArgs: readonly string[] = [];

  constructor(
    readonly name: string,
    readonly options: ProcessOptions,
  ) {}

  /** 0 when it does not run. */
  get pid(): number {
    const { pidFile } = this.options;
    const pid = existsSync(pidFile) ? Number(readFileSync(pidFile, 'utf8')) : 0;
    return pid > 0 && isAlive(pid) ? pid : 0;
  }

  get isRunning(): boolean {
    return this.pid !== 0;
  }

  /** Does nothing when it runs already. */
  start(): void {
    if (this.isRunning) return;
    const { netns, logFile, pidFile, env, hostname, command } = this.options;
    const words = [
      ...(netns === undefined ? [] : ['nsenter', `--net=/run/netns/${netns}`]),
      ...(hostname === undefined ? [] : ['unshare', '--uts', 'sh', '-c', `hostname ${hostname}; exec "$0" "$@"`]),
      ...command,
      ...this.extraArgs,
    ];
    const [program = '', ...args] = words;
    const log = openSync(logFile, 'a');
    const child = spawn(program, args, {
      stdio: ['ignore', log, log],
      detached: true,
      env: { ...process.env, ...env, ...this.extraEnv },
    });
    closeSync(log);
    child.on('error', () => undefined);
    child.unref();
    writeFileSync(pidFile, String(child.pid ?? 0));
  }

  /** SIGKILL by default. Resolves when the process is gone, stands still (SIGSTOP) or runs again (SIGCONT). */
  async kill(how: NodeJS.Signals = 'SIGKILL', timeoutMs = EXIT_MS): Promise<void> {
    const { pid } = this;
    if (pid === 0) return;
    signal(pid, how);
    if (how === 'SIGSTOP') return void (await waitFor(`${this.name} to stand still`, () => stateOf(pid) === 'T'));
    if (how === 'SIGCONT') return void (await waitFor(`${this.name} to go on`, () => stateOf(pid) !== 'T'));
    // A stopped process takes no other signal but SIGKILL.
    if (stateOf(pid) === 'T' && how !== 'SIGKILL') signal(pid, 'SIGCONT');
    await waitFor(`${this.name} to end`, () => !isAlive(pid), timeoutMs, 10);
    rmSync(this.options.pidFile, { force: true });
  }

  /** SIGTERM, then SIGKILL when it does not listen. */
  async stop(graceMs = EXIT_MS): Promise<void> {
    await this.kill('SIGTERM', graceMs).catch(() => this.kill('SIGKILL'));
  }

  async restart(how: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await this.kill(how);
    this.start();
  }

  /** Waits until it has ended by itself. */
  async ended(timeoutMs = EXIT_MS): Promise<void> {
    await waitFor(`${this.name} to end by itself`, () => !this.isRunning, timeoutMs);
  }

  log(): string {
    return existsSync(this.options.logFile) ? readFileSync(this.options.logFile, 'utf8') : '';
  }

  /** The last lines of its log, for a report. */
  lastWords(lines = 15): string {
    return `--- ${this.name}\n${this.log().trimEnd().split('\n').slice(-lines).join('\n')}`;
  }
}
