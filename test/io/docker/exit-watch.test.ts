import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DockerEngine } from '../../../src/io/docker/engine';
import { ExitWatch } from '../../../src/io/docker/exit-watch';
import { SystemClock } from '../../../src/io/system/clock';
import { noopMetrics, RecordingLogger } from '../../support/fakes';
import { waitFor } from '../../support/wait';

const RUNNING = { Status: 'running', ExitCode: 0, OOMKilled: false, Error: '', FinishedAt: '0001-01-01T00:00:00Z' };
const EXITED = { ...RUNNING, Status: 'exited', ExitCode: 3 };

/** An engine whose answers come when the test wants. */
class SlowEngine {
  private readonly folder = mkdtempSync(join(tmpdir(), 'berth-exits-'));
  readonly socketPath = join(this.folder, 'docker.sock');
  /** Looks at a container that are not answered yet, oldest first. */
  readonly looks: ServerResponse[] = [];
  isListenedTo = false;
  private server: Server | undefined;

  async start(): Promise<void> {
    const server = createServer((request, response) => {
      const { url = '' } = request;
      if (url === '/version') return json(response, { ApiVersion: '1.41' });
      if (url.includes('/events')) {
        this.isListenedTo = true;
        response.writeHead(200, { 'content-type': 'application/json' });
        return response.flushHeaders();
      }
      if (url.includes('/containers/c/json')) return void this.looks.push(response);
      // The list of those that run: says of itself nothing that the test is about.
      return json(response, [{ Id: 'c' }]);
    });
    this.server = server;
    await new Promise<void>((resolve) => server.listen(this.socketPath, resolve));
  }

  async answer(State: object): Promise<void> {
    const look = await waitFor('a look at the container', () => this.looks.shift());
    json(look, { State });
  }

  stop(): void {
    this.server?.closeAllConnections();
    this.server?.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function json(response: ServerResponse, body: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

describe('the end of a container', () => {
  const engine = new SlowEngine();
  const client = new DockerEngine({ socketPath: engine.socketPath }, noopMetrics());
  const watch = new ExitWatch(client, '/work', new SystemClock(), new RecordingLogger());
  beforeAll(() => engine.start());
  afterAll(async () => {
    await watch.stop();
    client.close();
    engine.stop();
  });

  test('is not missed when the news comes during a look that was too early', async () => {
    const exit = watch.wait('c', new AbortController().signal);
    await waitFor('the event stream', () => engine.isListenedTo);
    await waitFor('the first look', () => engine.looks.length === 1);
    // As the event stream does; nothing tells when a line of it has been read.
    watch.ended('c');
    await engine.answer(RUNNING);
    await engine.answer(EXITED);
    expect(await exit).toMatchObject({ exitCode: 3 });
  });

  test('is not missed when the look at it fails', async () => {
    const exit = watch.wait('c', new AbortController().signal);
    await engine.answer(RUNNING);
    watch.ended('c');
    (await waitFor('a look at the container', () => engine.looks.shift())).destroy();
    await engine.answer(EXITED);
    expect(await exit).toMatchObject({ exitCode: 3 });
  });
});
