import { messageOf, TimeoutError, UnavailableError } from '../../core/errors';
import { LIMITS } from '../../core/limits';
import type { Logger } from '../../core/ports/logger';
import type { Counter, Metrics } from '../../core/ports/metrics';
import { TaskDriverError } from '../../core/ports/task-driver';
import { imageReference } from './container-options';
import { withSignal, type DockerEngine } from './engine';
import { EngineRefusal, hasStatus } from './engine-error';
import { lines } from './line-stream';
import { registryAuth } from './registry-auth';

/** Brings images to the node. One pull per image at a time: tasks that want the same one share it. */
export class ImagePuller {
  private readonly running = new Map<string, Promise<void>>();
  private readonly pulls: Counter;

  constructor(
    private readonly engine: DockerEngine,
    /** A Docker `config.json` with logins, if any. */
    private readonly configFile: string | undefined,
    private readonly log: Logger,
    metrics: Metrics,
  ) {
    this.pulls = metrics.counter({
      name: 'berth_agent_image_pulls_total',
      help: 'Image pulls by result',
      labels: ['result'],
    });
    for (const result of ['ok', 'failed']) this.pulls.inc({ result }, 0); // a rise from nothing is no rise to Prometheus
  }

  /**
   * Resolves when the image is there: at once if it is and `force` is not set (Mesos). Throws TaskDriverError with the
   * registry's words; UnavailableError when the engine is away. A pull that nobody waits for any more goes on to its end.
   */
  async ensure(image: string, force: boolean, signal: AbortSignal): Promise<void> {
    const reference = imageReference(image);
    if (!force && (await this.isPresent(reference))) return;
    let pull = this.running.get(reference);
    if (pull === undefined) {
      pull = this.pull(reference).finally(() => this.running.delete(reference));
      this.running.set(reference, pull);
      pull.catch(() => undefined);
    }
    await orAborted(pull, signal);
  }

  private async isPresent(reference: string): Promise<boolean> {
    try {
      await this.engine.call('image_inspect', (docker, signal) => {
        const image = docker.getImage(reference);
        return image.inspect(withSignal({}, signal));
      });
      return true;
    } catch (error) {
      if (hasStatus(error, 404)) return false;
      throw error instanceof EngineRefusal ? failed(reference, error.message, error) : error;
    }
  }

  private async pull(reference: string): Promise<void> {
    try {
      const auth = await this.login(reference);
      const options = { timeoutMs: LIMITS.dockerPullMs };
      await this.engine.call('pull', (docker, signal) => readProgress(docker, reference, auth, signal), options);
      this.pulls.inc({ result: 'ok' });
      this.log.info('image pulled', { image: reference });
    } catch (error) {
      this.pulls.inc({ result: 'failed' });
      this.log.warn('image pull failed', { image: reference, error: messageOf(error) });
      if (error instanceof TimeoutError || error instanceof EngineRefusal)
        throw failed(reference, messageOf(error), error);
      throw error;
    }
  }

  private async login(reference: string): Promise<object | undefined> {
    try {
      return await registryAuth(this.configFile, reference);
    } catch (error) {
      this.log.warn('registry logins cannot be read', { file: this.configFile, error: messageOf(error) });
      return undefined;
    }
  }
}

type Client = Parameters<Parameters<DockerEngine['call']>[1]>[0];

/** The engine answers 200 and tells of failure inside the stream. */
async function readProgress(
  docker: Client,
  reference: string,
  auth: object | undefined,
  signal: AbortSignal,
): Promise<void> {
  const options = withSignal({ fromImage: reference, authconfig: auth }, signal);
  const stream = await docker.createImage(options);
  for await (const line of lines(stream)) {
    const message = errorIn(line);
    if (message !== undefined) throw new EngineRefusal(404, message);
  }
}

function errorIn(line: string): string | undefined {
  try {
    const progress: unknown = JSON.parse(line);
    const error: unknown =
      typeof progress === 'object' && progress !== null ? Reflect.get(progress, 'error') : undefined;
    return typeof error === 'string' ? error : undefined;
  } catch {
    return undefined;
  }
}

function failed(reference: string, message: string, cause: unknown): TaskDriverError {
  return new TaskDriverError(
    'REASON_CONTAINER_LAUNCH_FAILED',
    'pull',
    `Failed to pull image '${reference}': ${message}`,
    { cause },
  );
}

async function orAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  let stop: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(new UnavailableError('pull', { detail: 'no longer wanted' }));
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
  try {
    await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
