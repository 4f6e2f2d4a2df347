import { application } from '../../../src/api/http/application';
import { StreamRegistry } from '../../../src/api/http/event-stream';
import { listen, type Listening } from '../../../src/api/http/listen';
import { marathonRouter } from '../../../src/api/marathon/router';
import type { MarathonDependencies } from '../../../src/api/marathon/dependencies';
import type { AppService } from '../../../src/core/ports/app-service';
import type { LeaderInfo } from '../../../src/core/ports/election';
import { MemoryStore, type StoreFaults } from '../../../src/io/memory/store';
import { MirrorRecords } from '../../../src/io/mirror/records';
import { SystemClock } from '../../../src/io/system/clock';
import { GroupManager } from '../../../src/orchestrator/group-manager';
import { noopMetrics, seededIds, silentLogger } from '../../support/fakes';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** Parsed; undefined for an empty body, the text where it is no JSON. */
  readonly body: unknown;
}

/** A whole Marathon face over real records and the real group manager, in memory; nobody runs the apps. */
export interface World extends MarathonReplica {
  readonly store: MemoryStore;
  /** Another replica on the same store. */
  replica(options?: ReplicaOptions): Promise<MarathonReplica>;
  close(): Promise<void>;
}

export interface MarathonReplica {
  readonly records: MirrorRecords;
  readonly apps: AppService;
  readonly streams: StreamRegistry;
  readonly url: string;
  /** How often this replica was asked to give leadership up. */
  readonly abdications: () => number;
  ask(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
}

export interface ReplicaOptions {
  /** Default: this replica leads. */
  readonly leader?: (self: string) => LeaderInfo | undefined;
}

const ANSWER_WITHIN_MS = 10_000;

/** @param faults of the store, e.g. to take it away */
export async function openWorld(faults: StoreFaults = {}): Promise<World> {
  const store = new MemoryStore(faults);
  const closers: (() => Promise<void>)[] = [];
  const replica = async (options: ReplicaOptions = {}) => {
    const { opened, close } = await openReplica(store, closers.length + 1, options);
    closers.push(close);
    return opened;
  };
  const first = await replica();
  return {
    ...first,
    store,
    replica,
    close: async () => {
      for (const close of closers) await close();
    },
  };
}

async function openReplica(store: MemoryStore, seed: number, options: ReplicaOptions) {
  const clock = new SystemClock();
  const log = silentLogger();
  const stop = new AbortController();
  const records = new MirrorRecords(store, clock, log, noopMetrics());
  await records.start(stop.signal);
  const apps = new GroupManager(records, clock, seededIds(seed), log);
  const streams = new StreamRegistry(clock, log);
  const app = application();
  const server = await listen(app, { host: '127.0.0.1', port: 0 });
  const self = `127.0.0.1:${server.port}`;
  let abdications = 0;
  const leads = options.leader ?? ((address: string) => leaderAt(address));
  const deps: MarathonDependencies = {
    records,
    apps,
    streams,
    clock,
    log,
    election: {
      leader: () => leads(self),
      isLeader: () => leads(self)?.marathonAddress === self,
      abdicate: () => (abdications += 1),
    },
    info: {
      version: '0.1.0',
      self,
      scheme: 'http',
      frameworkId: () => 'framework-1',
      storeEndpoints: ['http://127.0.0.1:2379'],
      localPortMin: 10_000,
      localPortMax: 20_000,
      hostname: '127.0.0.1',
      mesosUrl: () => 'http://127.0.0.1:5050',
    },
  };
  app.use(marathonRouter(deps));
  const opened: MarathonReplica = {
    records,
    apps,
    streams,
    url: `http://${self}`,
    abdications: () => abdications,
    ask: (method, path, body, headers) => ask(`http://${self}${path}`, method, body, headers),
  };
  return { opened, close: () => closeReplica(server, records, streams, stop) };
}

export function leaderAt(marathonAddress: string): LeaderInfo {
  return { id: 'server-1', hostname: '127.0.0.1', marathonAddress, mesosAddress: '127.0.0.1:5050', version: '0.1.0' };
}

async function closeReplica(
  server: Listening,
  records: MirrorRecords,
  streams: StreamRegistry,
  stop: AbortController,
): Promise<void> {
  streams.closeAll();
  await server.close(0);
  stop.abort();
  await records.stopped();
}

/** @param body text is sent as it is, anything else as JSON */
async function ask(url: string, method: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  const response = await fetch(url, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, body: text === '' ? undefined : parse(text) };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
