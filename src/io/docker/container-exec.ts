import { readFileSync } from 'node:fs';
import { TimeoutError, UnavailableError } from '../../core/errors';
import { LIMITS } from '../../core/limits';
import { deadline } from './deadline';
import { withSignal, type DockerEngine } from './engine';
import { FrameReader } from './log-frames';

export interface ExecOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  readonly environment?: Readonly<Record<string, string>>;
}

/**
 * Runs a command inside a container and collects at most LIMITS.execOutputBytes of what it says. Past the time limit it throws
 * TimeoutError and kills the command, which Docker itself cannot do. UnavailableError: it was the engine that did not answer.
 */
export async function execIn(
  engine: DockerEngine,
  containerId: string,
  command: readonly string[],
  options: ExecOptions,
): Promise<{ readonly exitCode: number; readonly output: string }> {
  const limit = deadline(options.timeoutMs, options.signal);
  let execId: string | undefined;
  try {
    const exec = await engine.call(
      'exec_create',
      (docker, signal) =>
        docker.getContainer(containerId).exec({
          Cmd: [...command],
          AttachStdout: true,
          AttachStderr: true,
          Env: Object.entries(options.environment ?? {}).map(([name, value]) => `${name}=${value}`),
          abortSignal: signal,
        }),
      { signal: limit.signal },
    );
    execId = exec.id;
    const stream = await engine.open('exec_start', (_, signal) => exec.start(withSignal({}, signal)), limit.signal);
    const output = await collect(stream);
    const { ExitCode } = await inspect(engine, exec.id, limit.signal);
    return { exitCode: ExitCode ?? -1, output };
  } catch (error) {
    const isSeen = execId !== undefined && (await killLeftover(engine, execId, containerId));
    if (!limit.timedOut()) throw error;
    throw isSeen
      ? new TimeoutError('the command', options.timeoutMs)
      : new UnavailableError('Docker', { cause: error, detail: `no answer within ${options.timeoutMs} ms` });
  } finally {
    limit.done();
  }
}

async function collect(stream: NodeJS.ReadableStream): Promise<string> {
  const reader = new FrameReader();
  const kept: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    for (const { data } of reader.push(typeof chunk === 'string' ? Buffer.from(chunk) : chunk)) {
      if (bytes >= LIMITS.execOutputBytes) continue;
      kept.push(data.subarray(0, LIMITS.execOutputBytes - bytes));
      bytes += data.length;
    }
  }
  return Buffer.concat(kept).toString('utf8');
}

interface ExecState {
  readonly ExitCode: number | null;
  readonly Running: boolean;
  readonly Pid: number;
}

function inspect(engine: DockerEngine, execId: string, signal?: AbortSignal): Promise<ExecState> {
  return engine.call(
    'exec_inspect',
    (docker, abort) => docker.getExec(execId).inspect(withSignal({}, abort)),
    signal === undefined ? {} : { signal },
  );
}

/**
 * Kills what still runs, if this is its machine and the process is surely one of the container. False: the engine does not answer, so
 * that nobody knows whether the command is late or the engine.
 */
async function killLeftover(engine: DockerEngine, execId: string, containerId: string): Promise<boolean> {
  const state = await inspect(engine, execId, AbortSignal.timeout(LIMITS.execLookMs)).catch(() => undefined);
  if (state === undefined) return false;
  try {
    if (state.Running && state.Pid > 1 && readFileSync(`/proc/${state.Pid}/cgroup`, 'utf8').includes(containerId))
      process.kill(state.Pid, 'SIGKILL');
  } catch {
    // The engine is on another machine, or the command ended by itself.
  }
  return true;
}
