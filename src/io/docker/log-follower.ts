import { BerthError, messageOf } from '../../core/errors';
import { LIMITS } from '../../core/limits';
import { sleep, type Clock } from '../../core/ports/clock';
import type { Logger } from '../../core/ports/logger';
import { phaseOf } from './container-exit';
import { withSignal, type DockerEngine } from './engine';
import { EngineRefusal, hasStatus } from './engine-error';
import { LogFiles } from './log-files';
import { FrameReader, logMessage, TerminalReader, type LogMessage } from './log-frames';
import { Resume, sinceOf } from './log-position';

/** Milliseconds between two saves of the position while a task writes. A crash copies at most so much again, in place. */
const SAVE_EVERY_MS = 1_000;

/** Copies the output of containers into their sandboxes. Reads only as fast as the disk takes it. */
export class LogFollower {
  constructor(
    private readonly engine: DockerEngine,
    private readonly clock: Clock,
    private readonly log: Logger,
  ) {}

  /** Until the container has ended and all is copied, or `signal` aborts. Goes on after the engine was away. */
  async follow(containerId: string, sandbox: string, signal: AbortSignal): Promise<void> {
    const files = await LogFiles.open(sandbox);
    try {
      let waitMs: number = LIMITS.retryFirstMs;
      while (!signal.aborted) {
        const before = files.position;
        if (await this.attempt(containerId, files, signal)) return;
        waitMs = files.position === before ? Math.min(waitMs * 2, LIMITS.retryLastMs) : LIMITS.retryFirstMs;
        await sleep(this.clock, waitMs, signal);
      }
    } finally {
      await files.close();
    }
  }

  /** True when there is nothing more to come. */
  private async attempt(containerId: string, files: LogFiles, signal: AbortSignal): Promise<boolean> {
    try {
      const { Config, State } = await this.engine.call('inspect', (docker, abort) =>
        docker.getContainer(containerId).inspect(withSignal({}, abort)),
      );
      // Whether it had ended is asked before reading, so that what it wrote at the end is read.
      await this.copy(containerId, Config.Tty, files, signal);
      return phaseOf(State.Status) === 'exited';
    } catch (error) {
      if (signal.aborted || hasStatus(error, 404)) return true;
      if (error instanceof EngineRefusal) {
        this.log.warn('the output of a task cannot be read', { containerId, error: error.message });
        return true;
      }
      const facts = { containerId, error: messageOf(error) };
      if (error instanceof BerthError) this.log.debug('log stream lost', facts);
      else this.log.warn('the output of a task cannot be written and waits', facts);
      return false;
    }
  }

  private async copy(containerId: string, tty: boolean, files: LogFiles, signal: AbortSignal): Promise<void> {
    const since = sinceOf(files.position);
    const options = { follow: true as const, stdout: true, stderr: true, timestamps: true, since };
    const stream = await this.engine.open(
      'logs',
      (docker, abort) => docker.getContainer(containerId).logs(withSignal(options, abort)),
      signal,
    );
    const reader = tty ? new TerminalReader() : new FrameReader();
    const resume = { stdout: new Resume(files.position.stdout), stderr: new Resume(files.position.stderr) };
    let savedAtMs = this.clock.monotonicMs();
    for await (const chunk of stream) {
      const fresh: Record<'stdout' | 'stderr', LogMessage[]> = { stdout: [], stderr: [] };
      for (const { stream: name, data } of reader.push(asBuffer(chunk))) {
        const message = logMessage(name, data, files.position[name].timestamp);
        if (resume[name].isNew(message.timestamp)) fresh[name].push(message);
      }
      await files.append('stdout', fresh.stdout);
      await files.append('stderr', fresh.stderr);
      if (this.clock.monotonicMs() - savedAtMs < SAVE_EVERY_MS) continue;
      savedAtMs = this.clock.monotonicMs();
      await files.save();
    }
  }
}

function asBuffer(chunk: string | Buffer): Buffer {
  return typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
}
