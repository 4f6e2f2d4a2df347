import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { join } from 'node:path';

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Milliseconds for one kubectl call; most need 100. */
const TIMEOUT_MS = 30_000;

/** The real kubectl with its own home and cache, so that nothing of the machine's is read or written. */
export class Kubectl {
  private readonly running = new Set<ChildProcess>();

  constructor(
    private readonly kubeconfig: string,
    private readonly home: string,
  ) {}

  /** Runs to the end; does not throw on failure. */
  run(args: readonly string[], options: { stdin?: string; env?: Record<string, string> } = {}): Promise<Ran> {
    return new Promise((resolve, reject) => {
      const child = execFile(
        'kubectl',
        this.args(args),
        { env: this.env(options.env), timeout: TIMEOUT_MS, maxBuffer: 64 * 1024 * 1024 },
        (error, out, err) => {
          if (error !== null && typeof error.code !== 'number')
            return reject(new Error(`kubectl ${args.join(' ')}: ${error.message}\n${err}`));
          resolve({ code: typeof error?.code === 'number' ? error.code : 0, out, err });
        },
      );
      child.stdin?.end(options.stdin ?? '');
    });
  }

  /** Runs and expects success; the output. */
  async ok(args: readonly string[], options: { stdin?: string; env?: Record<string, string> } = {}): Promise<string> {
    const { code, out, err } = await this.run(args, options);
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')} ended with ${code}:\n${out}${err}`);
    return out;
  }

  /** Runs and expects failure; what it printed on stderr. */
  async fails(
    args: readonly string[],
    options: { stdin?: string; env?: Record<string, string> } = {},
  ): Promise<string> {
    const { code, out, err } = await this.run(args, options);
    if (code === 0) throw new Error(`kubectl ${args.join(' ')} should fail:\n${out}`);
    return err;
  }

  /** Starts one that goes on (`-w`); `output()` is what it has printed. */
  start(args: readonly string[]): { output: () => string; stop: () => Promise<void> } {
    const child = spawn('kubectl', this.args(args), { env: this.env(), stdio: ['ignore', 'pipe', 'pipe'] });
    this.running.add(child);
    let text = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
    const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
    return {
      output: () => text,
      stop: async () => {
        child.kill('SIGKILL');
        await ended;
        this.running.delete(child);
      },
    };
  }

  /** Ends what still runs. */
  close(): void {
    for (const child of this.running) child.kill('SIGKILL');
  }

  private args(args: readonly string[]): string[] {
    return ['--kubeconfig', this.kubeconfig, '--cache-dir', join(this.home, 'cache'), ...args];
  }

  private env(extra: Record<string, string> = {}): Record<string, string> {
    return { PATH: process.env['PATH'] ?? '/usr/bin', HOME: this.home, ...extra };
  }
}
