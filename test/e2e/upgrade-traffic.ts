import type { ServerUnderTest } from '../support/cluster';
import type { MarathonTask } from '../support/marathon-client';
import { waitFor } from '../support/wait';

const CALL_MS = 5_000;
/** Between two requests to one task, and between two writes. Milliseconds. */
const PAUSE_MS = 50;

/** Somebody who uses the apps all the time: one request after the other to each task. Every failure is kept. */
export class Visitors {
  readonly failures: string[] = [];
  count = 0;
  private readonly stop = new AbortController();
  private readonly loops: readonly Promise<void>[];

  constructor(tasks: readonly MarathonTask[]) {
    this.loops = tasks.map((task) => this.visit(task));
  }

  async leave(): Promise<void> {
    this.stop.abort();
    await Promise.all(this.loops);
  }

  private async visit(task: MarathonTask): Promise<void> {
    while (!this.stop.signal.aborted) {
      try {
        const url = `http://${task.host}:${task.ports[0]}/`;
        const headers = { connection: 'close' };
        const answer = await fetch(url, { headers, signal: AbortSignal.timeout(CALL_MS) });
        const text = (await answer.text()).trim();
        if (!answer.ok || text !== task.id) this.failures.push(`${task.id}: ${answer.status} ${text}`);
        this.count++;
      } catch (error) {
        this.failures.push(`${task.id}: ${String(error)}`);
      }
      await pause();
    }
  }
}

/**
 * Somebody who writes all the time, through one server after the other: one small app after the other. A server that does not answer
 * is passed over, as a client with three addresses does; a write that none of them takes is kept as a failure.
 */
export class Writer {
  /** Ids of apps whose creation was acknowledged. */
  readonly acknowledged: string[] = [];
  readonly failures: string[] = [];
  private readonly stop = new AbortController();
  private readonly loop: Promise<void>;

  constructor(private readonly servers: readonly ServerUnderTest[]) {
    this.loop = this.write();
  }

  async leave(): Promise<void> {
    this.stop.abort();
    await this.loop;
  }

  /** Every acknowledged write is there, whichever server is asked. */
  async nothingLost(): Promise<void> {
    for (const server of this.servers) {
      const written = [...this.acknowledged];
      const missing = async () => {
        const { apps } = (await server.marathon.ok('GET', '/v2/apps')) as { apps: { id: string }[] };
        const there = new Set(apps.map(({ id }) => id));
        const lost = written.filter((id) => !there.has(id));
        if (lost.length > 0) throw new Error(`server ${server.index} does not have ${lost.join(' ')}`);
        return true;
      };
      await waitFor('all acknowledged writes', missing, 15_000);
    }
  }

  private async write(): Promise<void> {
    for (let turn = 0; !this.stop.signal.aborted; turn++) {
      const id = `/notes/n${turn}`;
      const refusals: string[] = [];
      for (let tried = 0; tried < this.servers.length; tried++) {
        const refusal = await this.create(id, this.servers[(turn + tried) % this.servers.length], tried > 0);
        if (refusal === undefined) break;
        refusals.push(refusal);
      }
      if (refusals.length === this.servers.length) this.failures.push(`${id}: ${refusals.join('; ')}`);
      else this.acknowledged.push(id);
      await pause();
    }
  }

  /** Undefined when the write is acknowledged, else why not. */
  private async create(
    id: string,
    server: ServerUnderTest | undefined,
    isRepeat: boolean,
  ): Promise<string | undefined> {
    if (server === undefined) return 'no server';
    const app = { id, cmd: 'true', instances: 0, cpus: 0.1, mem: 16 };
    try {
      const { status, body } = await server.marathon.call('POST', '/v2/apps', app);
      // The first try may have taken effect although its answer got lost.
      if (status === 201 || (isRepeat && status === 409)) return undefined;
      return `server ${server.index}: ${status} ${JSON.stringify(body)}`;
    } catch (error) {
      return `server ${server.index}: ${String(error)}`;
    }
  }
}

function pause(): Promise<void> {
  return new Promise((done) => setTimeout(done, PAUSE_MS));
}
