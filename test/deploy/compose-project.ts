import { execFile } from 'node:child_process';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { MarathonClient, type Answer } from '../support/marathon-client';
import type { AgentHost } from '../testbed/agent-host';

const ROOT = resolve(__dirname, '../..');
const COMPOSE_MS = 200_000;
const CALL_MS = 30_000;
const run = promisify(execFile);

/** The services of deploy/compose.yaml on the engine of one host of a bed. */
export class ComposeProject {
  constructor(
    private readonly host: AgentHost,
    private readonly variables: Readonly<Record<string, string>>,
  ) {}

  /** Runs docker-compose and returns what it printed. */
  async compose(...args: string[]): Promise<string> {
    const words = ['--project-name', 'berth', '--file', join(ROOT, 'deploy/compose.yaml'), ...args];
    const { stdout } = await run('docker-compose', words, {
      cwd: ROOT,
      timeout: COMPOSE_MS,
      maxBuffer: 16 * 1024 * 1024,
      env: {
        ...process.env,
        ...this.variables,
        DOCKER_HOST: `unix://${this.host.dockerSocket}`,
        DOCKER_FOLDER: dirname(this.host.dockerSocket),
        BERTH_WORK_DIR: this.host.workDir,
      },
    });
    return stdout.trim();
  }

  /** An HTTP call from the machine itself: ports of the services are on its loopback address only. */
  async fetch(url: string, options: { method?: string; headers?: object; body?: string } = {}): Promise<Answer> {
    const script = `const [url, options] = process.argv.slice(1);
      fetch(url, { ...JSON.parse(options), signal: AbortSignal.timeout(${CALL_MS}) })
        .then(async (r) => console.log(JSON.stringify({ status: r.status, body: await r.text() })))`;
    const words = [`--net=/run/netns/${this.host.node.netns}`, process.execPath, '-e', script];
    const { stdout } = await run('nsenter', [...words, url, JSON.stringify(options)], { timeout: 2 * CALL_MS });
    const { status, body } = JSON.parse(stdout) as { status: number; body: string };
    return { status, headers: new Headers(), body: parsed(body) };
  }

  /** A client of the Marathon API that the machine finds at `url`. */
  marathon(url: string, token: string): MarathonClient {
    return new InsideClient(this, url, token);
  }
}

class InsideClient extends MarathonClient {
  constructor(
    private readonly project: ComposeProject,
    url: string,
    private readonly secret: string,
  ) {
    super(url, secret);
  }

  override call(method: string, path: string, body?: unknown): Promise<Answer> {
    const headers = { authorization: `Bearer ${this.secret}`, 'content-type': 'application/json' };
    return this.project.fetch(this.url + path, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
