import { Agent } from 'node:http';
import { inspect } from 'node:util';
import Docker from 'dockerode';
import { TimeoutError } from '../../core/errors';
import { LIMITS } from '../../core/limits';
import type { Histogram, Metrics } from '../../core/ports/metrics';
import { deadline } from './deadline';
import { engineError, EngineRefusal } from './engine-error';

/** The newest API we know; engines that are newer still speak it (Docker 29 speaks 1.44 and up). */
const NEWEST_API = '1.44';

/** Where the engine is: a unix socket, or host and port. */
export type EngineAddress =
  | { readonly socketPath: string }
  | { readonly host: string; readonly port: number; readonly protocol?: 'http' | 'https' };

export interface CallOptions {
  /** Milliseconds; default LIMITS.dockerCallMs. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/**
 * docker-modem prints the options of every request to a text of any depth, whether or not anybody reads it. Our agent in those
 * options has all sockets in it: printing them cost most of the processor and made starts several times slower (measured).
 */
class QuietAgent extends Agent {
  [inspect.custom](): string {
    return 'Agent';
  }
}

/** What the agent wants to know of an engine before it trusts it. */
export interface EngineFacts {
  readonly version: string;
  readonly apiVersion: string;
  readonly liveRestore: boolean;
  readonly loggingDriver: string;
  readonly cgroupDriver: string;
  /** `1` or `2`. */
  readonly cgroupVersion: string;
  readonly storageDriver: string;
  /** Where images and containers lie. */
  readonly rootDir: string;
  /** What the engine itself complains about, e.g. limits that the kernel does not support. */
  readonly warnings: readonly string[];
  /** The engine's clock, ISO 8601. */
  readonly systemTime: string;
}

/**
 * One Docker engine: agrees on an API version, gives every call a time limit and turns failures into ours: EngineRefusal (the
 * engine said no), UnavailableError (it does not answer), TimeoutError (it did not answer in time).
 */
export class DockerEngine {
  private readonly agent = new QuietAgent({ keepAlive: true, keepAliveMsecs: 1_000, maxFreeSockets: 8 });
  private readonly latency: Histogram;
  private client: Docker | undefined;

  constructor(
    private readonly address: EngineAddress,
    metrics: Metrics,
  ) {
    this.latency = metrics.histogram({
      name: 'berth_docker_call_duration_seconds',
      help: 'Time of calls to the Docker engine. Result: ok, refused (it said no), error (no answer, or none in time).',
      labels: ['call', 'result'],
      buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
    });
  }

  /** @param name what is called, for metrics and errors ("create") */
  async call<T>(
    name: string,
    run: (docker: Docker, signal: AbortSignal) => Promise<T>,
    options: CallOptions = {},
  ): Promise<T> {
    const timeoutMs = options.timeoutMs ?? LIMITS.dockerCallMs;
    const limit = deadline(timeoutMs, options.signal);
    const startedAt = performance.now();
    let result = 'error';
    try {
      const docker = this.client ?? (await this.connect(limit.signal));
      const value = await run(docker, limit.signal);
      result = 'ok';
      return value;
    } catch (error) {
      if (limit.timedOut()) throw new TimeoutError(`Docker ${name}`, timeoutMs);
      const failure = engineError(error);
      // A working engine says no all the time: "no such image" before every pull.
      if (failure instanceof EngineRefusal) result = 'refused';
      throw failure;
    } finally {
      limit.done();
      this.latency.observe((performance.now() - startedAt) / 1_000, { call: name, result });
    }
  }

  /**
   * Opens a stream that may last for ever: the time limit covers only its beginning. The stream ends when `signal` aborts.
   * Its errors come from reading it.
   */
  async open(
    name: string,
    run: (docker: Docker, signal: AbortSignal) => Promise<NodeJS.ReadableStream>,
    signal: AbortSignal,
  ): Promise<NodeJS.ReadableStream> {
    const controller = new AbortController();
    const stop = () => controller.abort();
    onAbort(signal, stop);
    try {
      const stream = await this.call(
        name,
        (docker, early) => {
          onAbort(early, stop);
          return run(docker, controller.signal);
        },
        { signal },
      );
      stream.once('close', () => signal.removeEventListener('abort', stop));
      return stream;
    } catch (error) {
      signal.removeEventListener('abort', stop);
      throw error;
    }
  }

  /** Agrees on an API version anew: the engine may have been replaced by another release. */
  renegotiate(): void {
    this.client = undefined;
  }

  /** Resolves when the engine answers. Throws UnavailableError or TimeoutError. */
  async ping(): Promise<void> {
    const ping = (docker: Docker, signal: AbortSignal) => untyped(docker).ping(withSignal({}, signal));
    await this.call('ping', ping, { timeoutMs: LIMITS.dockerPingMs });
  }

  async facts(): Promise<EngineFacts> {
    const version = await this.call('version', (docker, signal) => untyped(docker).version(withSignal({}, signal)));
    const info = await this.call('info', (docker, signal) => untyped(docker).info(withSignal({}, signal)));
    return {
      version: version.Version,
      apiVersion: version.ApiVersion,
      liveRestore: field(info, 'LiveRestoreEnabled') === true,
      loggingDriver: String(field(info, 'LoggingDriver')),
      cgroupDriver: String(field(info, 'CgroupDriver')),
      cgroupVersion: field(info, 'CgroupVersion') === '2' ? '2' : '1',
      storageDriver: String(field(info, 'Driver')),
      rootDir: String(field(info, 'DockerRootDir')),
      warnings: textsOf(field(info, 'Warnings')),
      systemTime: String(field(info, 'SystemTime')),
    };
  }

  close(): void {
    this.agent.destroy();
  }

  private async connect(signal: AbortSignal): Promise<Docker> {
    const { ApiVersion: offered } = await untyped(this.docker()).version(withSignal({}, signal));
    this.client = this.docker(olderOf(offered, NEWEST_API));
    return this.client;
  }

  private docker(version?: string): Docker {
    const address =
      'socketPath' in this.address
        ? { socketPath: this.address.socketPath, host: undefined, port: undefined, protocol: 'http' as const }
        : { ...this.address, protocol: this.address.protocol ?? 'http' };
    // dockerode's defaults read DOCKER_HOST; every field that it would set is given here.
    const options: object = {
      ...address,
      agent: this.agent,
      ...(version === undefined ? {} : { version: `v${version}` }),
    };
    return new Docker(options);
  }
}

/** Also when it has aborted already, which no event will tell. */
function onAbort(signal: AbortSignal, run: () => void): void {
  if (signal.aborted) run();
  else signal.addEventListener('abort', run, { once: true });
}

/** Two calls whose options dockerode takes but whose types do not know. */
function untyped(docker: Docker): {
  version(options: object): Promise<Docker.DockerVersion>;
  info(options: object): Promise<unknown>;
  ping(options: object): Promise<unknown>;
} {
  return docker as unknown as ReturnType<typeof untyped>;
}

/** Options with the abort signal that dockerode takes everywhere, although its types leave it out in places. */
export function withSignal<T extends object>(options: T, abortSignal: AbortSignal): T {
  return { ...options, abortSignal };
}

/** The older of two API versions ("1.41", "1.44"). */
export function olderOf(a: string, b: string): string {
  const [majorA = 0, minorA = 0] = a.split('.').map(Number);
  const [majorB = 0, minorB = 0] = b.split('.').map(Number);
  return majorA < majorB || (majorA === majorB && minorA <= minorB) ? a : b;
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

function field(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;
}
