import { waitFor } from './wait';

export interface MarathonTask {
  readonly id: string;
  readonly appId: string;
  readonly host: string;
  readonly ports: readonly number[];
  readonly state: string;
  readonly version: string;
  readonly slaveId: string;
  readonly healthCheckResults?: readonly { readonly alive: boolean }[];
}

export interface MarathonApp {
  readonly id: string;
  readonly instances: number;
  readonly version: string;
  readonly tasksRunning: number;
  readonly tasksStaged: number;
  readonly tasksHealthy: number;
  readonly tasksUnhealthy: number;
  readonly tasks: readonly MarathonTask[];
  readonly deployments: readonly { readonly id: string }[];
  readonly lastTaskFailure?: { readonly message: string; readonly state: string; readonly taskId: string };
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

/** A plain Marathon client, as any REST client is. Every call has a timeout. */
export class MarathonClient {
  constructor(
    readonly url: string,
    private readonly token?: string,
  ) {}

  async call(method: string, path: string, body?: unknown): Promise<Answer> {
    const response = await fetch(this.url + path, {
      method,
      signal: AbortSignal.timeout(15_000),
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(this.token === undefined ? {} : { authorization: `Bearer ${this.token}` }),
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: text === '' ? undefined : parse(text) };
  }

  /** Like call, but anything but 2xx is an error with the body in it. */
  async ok(method: string, path: string, body?: unknown): Promise<unknown> {
    const answer = await this.call(method, path, body);
    if (answer.status < 200 || answer.status > 299) {
      throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    }
    return answer.body;
  }

  async app(id: string): Promise<MarathonApp> {
    return ((await this.ok('GET', `/v2/apps${id}`)) as { app: MarathonApp }).app;
  }

  async tasks(id: string): Promise<readonly MarathonTask[]> {
    return (await this.app(id)).tasks.filter((task) => task.state === 'TASK_RUNNING');
  }

  /** Waits until the app has `count` running tasks of its present version and nothing else, and no deployment. */
  async settled(id: string, count: number, timeoutMs = 60_000): Promise<MarathonApp> {
    return waitFor(
      `${id} to settle at ${count} running`,
      async () => {
        const app = await this.app(id);
        const running = app.tasks.filter((task) => task.state === 'TASK_RUNNING' && task.version <= app.version);
        return running.length === count && app.tasks.length === count && app.deployments.length === 0 ? app : undefined;
      },
      timeoutMs,
    );
  }

  async gone(id: string, timeoutMs = 60_000): Promise<void> {
    await waitFor(
      `${id} to be gone`,
      async () => {
        const { status } = await this.call('GET', `/v2/apps${id}`);
        const deployments = (await this.ok('GET', '/v2/deployments')) as { affectedApps: string[] }[];
        return status === 404 && !deployments.some((deployment) => deployment.affectedApps.includes(id));
      },
      timeoutMs,
    );
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
