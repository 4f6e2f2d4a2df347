import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import express from 'express';
import { StreamRegistry } from '../../../src/api/http/event-stream';
import { listen, type Listening } from '../../../src/api/http/listen';
import { ensurePki } from '../../../src/api/kube/pki';
import { writeKubeconfig } from '../../../src/api/kube/kubeconfig';
import { kubeRouter } from '../../../src/api/kube/router';
import type { Clock } from '../../../src/core/ports/clock';
import type { RecordWrite } from '../../../src/core/ports/records';
import { APP_FINALIZER } from '../../../src/core/records/app';
import { taskIdOf, taskPath } from '../../../src/core/records/paths';
import type { Agent, Instance, Rollout, Task } from '../../../src/core/records/records';
import { MemoryStore } from '../../../src/io/memory/store';
import { MirrorRecords } from '../../../src/io/mirror/records';
import { SystemRandom, UuidSource } from '../../../src/io/system/chance';
import { SystemClock } from '../../../src/io/system/clock';
import { GroupManager } from '../../../src/orchestrator/group-manager';
import { noopMetrics, RecordingLogger } from '../../support/fakes';

export const TOKEN = 'a-token-for-tests';
const CREATED = '2026-01-01T00:00:00.000Z';

/** Whatever kind of object an answer is; tests look at the parts they expect. */
export interface Body {
  readonly kind: string;
  readonly reason: string;
  readonly message: string;
  readonly code: number;
  readonly status: unknown;
  readonly metadata: Record<string, unknown> & { readonly resourceVersion: string; readonly name: string };
  readonly spec: Record<string, unknown>;
  readonly items: readonly Body[];
  readonly rows: readonly { readonly cells: readonly unknown[]; readonly object?: Body }[];
  readonly columnDefinitions: readonly { readonly name: string; readonly priority: number }[];
  readonly details: { readonly causes?: readonly { readonly field: string; readonly message: string }[] };
}
const EMPTY = {} as Body;

interface Options {
  readonly tls?: boolean;
  readonly clock?: Clock;
  /** Streams allowed at once. */
  readonly streams?: number;
  /** Changes that watches can resume over. */
  readonly history?: number;
}

/** The Kubernetes face over real records in memory and the real group manager, listening on a free port. */
export class KubeWorld {
  private constructor(
    readonly records: MirrorRecords,
    readonly store: MemoryStore,
    readonly apps: GroupManager,
    readonly listening: Listening,
    readonly log: RecordingLogger,
    readonly folder: string,
    readonly streams: StreamRegistry,
    private readonly stop: AbortController,
    private readonly isTls: boolean,
  ) {}

  static async start({ tls = false, clock = new SystemClock(), ...limits }: Options = {}): Promise<KubeWorld> {
    const log = new RecordingLogger();
    const stop = new AbortController();
    const ids = new UuidSource();
    const folder = await mkdtemp(join(tmpdir(), 'berth-kube-'));
    const store = new MemoryStore();
    const history = limits.history === undefined ? {} : { history: limits.history };
    const records = new MirrorRecords(store, new SystemClock(), log, noopMetrics(), history);
    await records.start(stop.signal);
    const apps = new GroupManager(records, clock, ids, log);
    const streams = new StreamRegistry(clock, log, limits.streams);
    const app = express();
    app.use(
      kubeRouter({
        records,
        apps,
        clock,
        ids,
        random: new SystemRandom(),
        log,
        streams,
        version: '0.1.0',
        authenticate: (request) => request.headers.authorization === `Bearer ${TOKEN}`,
      }),
    );
    const pki = tls ? await ensurePki(join(folder, 'pki'), [], clock.nowMs()) : undefined;
    const listening = await listen(app, { host: '127.0.0.1', port: 0, ...(pki === undefined ? {} : { tls: pki }) });
    const world = new KubeWorld(records, store, apps, listening, log, folder, streams, stop, tls);
    if (pki !== undefined) await writeKubeconfig(world.kubeconfig, { server: world.url, ca: pki.ca, token: TOKEN });
    return world;
  }

  get url(): string {
    return `${this.isTls ? 'https' : 'http'}://127.0.0.1:${this.listening.port}`;
  }

  get kubeconfig(): string {
    return join(this.folder, 'kubeconfig');
  }

  async close(): Promise<void> {
    this.streams.closeAll();
    await this.listening.close(100);
    this.stop.abort();
    await this.records.stopped();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** A request with the token; the body of the answer as JSON. */
  async call(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<{ status: number; headers: Headers; text: string; body: Body }> {
    const isText = typeof body === 'string' || body instanceof Uint8Array;
    const response = await fetch(this.url + path, {
      method,
      headers: {
        Authorization: `Bearer ${TOKEN}`,
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: isText ? body : JSON.stringify(body) }),
      signal: AbortSignal.timeout(10_000),
    });
    const text = await response.text();
    const { status } = response;
    return { status, headers: response.headers, text, body: text.startsWith('{') ? (JSON.parse(text) as Body) : EMPTY };
  }

  async write(...writes: RecordWrite[]): Promise<void> {
    await this.records.write(writes);
  }

  /** What the orchestrator does when a rollout is through. */
  async endRollouts(): Promise<void> {
    for (const { path } of [...this.records.collection('Rollout').list()])
      await this.write({ op: 'delete', kind: 'Rollout', path });
  }

  /** What the orchestrator does when the containers of a deleted app are gone. */
  async finishDeletion(path: string): Promise<void> {
    const app = this.records.collection('App').get(path);
    if (app?.record.metadata.deletionTimestamp === undefined) throw new Error(`${path} is not being deleted`);
    const finalizers = app.record.metadata.finalizers?.filter((finalizer) => finalizer !== APP_FINALIZER) ?? [];
    const record = { ...app.record, metadata: { ...app.record.metadata, finalizers } };
    await this.write(
      finalizers.length === 0
        ? { op: 'delete', kind: 'App', path, expect: app.revision }
        : { op: 'put', kind: 'App', path, record, expect: app.revision },
    );
  }

  /** Status as the orchestrator writes it. */
  async setStatus(path: string, status: Record<string, unknown>): Promise<void> {
    const app = this.records.collection('App').get(path);
    if (app === undefined) throw new Error(`no app ${path}`);
    await this.write({ op: 'put', kind: 'App', path, record: { ...app.record, status }, expect: app.revision });
  }
}

function metadata(name: string, namespace?: string) {
  return {
    name,
    uid: `uid-of-${name}`,
    generation: 1,
    creationTimestamp: CREATED,
    ...(namespace === undefined ? {} : { namespace }),
  };
}

export function agent(id: string, spec: Partial<Agent['spec']> = {}): RecordWrite {
  const record: Agent = {
    kind: 'Agent',
    metadata: metadata(id),
    spec: {
      hostname: `${id}.example`,
      port: 5051,
      resources: [
        { name: 'cpus', type: 'SCALAR', scalar: { value: 4 } },
        { name: 'mem', type: 'SCALAR', scalar: { value: 8192 } },
      ],
      attributes: [],
      containerizers: ['docker'],
      ...spec,
    },
    status: { state: 'active', registeredAt: CREATED },
  };
  return { op: 'put', kind: 'Agent', path: id, record };
}

export function instance(appPath: string, id: string, incarnation = 1): RecordWrite {
  const name = `${appPath.replaceAll('/', '_')}.instance-${id}`;
  const record: Instance = {
    kind: 'Instance',
    metadata: metadata(name),
    spec: { appId: `/${appPath}`, appVersion: CREATED, goal: 'Running', incarnation },
    status: { scheduledAt: CREATED },
  };
  return { op: 'put', kind: 'Instance', path: `${appPath}/${name}`, record };
}

export function task(agentId: string, appPath: string, id: string, state: Task['status']['state']): RecordWrite {
  const taskId = taskIdOf(`${appPath.replaceAll('/', '_')}.instance-${id}`, 1);
  const record: Task = {
    kind: 'Task',
    metadata: metadata(taskId),
    spec: {
      taskId,
      agentId,
      frameworkId: 'marathon',
      role: '*',
      info: {
        name: 'web',
        task_id: { value: taskId },
        agent_id: { value: agentId },
        resources: [
          { name: 'cpus', type: 'SCALAR', scalar: { value: 0.5 } },
          { name: 'ports', type: 'RANGES', ranges: { range: [{ begin: 31_000, end: 31_001 }] } },
        ],
      },
    },
    status: { state, stagedAtMs: 0, history: [], latest: { task_id: { value: taskId }, state, message: 'as told' } },
  };
  return { op: 'put', kind: 'Task', path: taskPath(agentId, taskId), record };
}

export function rollout(id: string, appId: string, state: Rollout['status']['state']): RecordWrite {
  const record: Rollout = {
    kind: 'Rollout',
    metadata: metadata(id),
    spec: {
      version: CREATED,
      apps: [{ id: appId }],
      steps: [{ actions: [{ action: 'ScaleApplication', app: appId }] }],
    },
    status: { currentStep: 1, state },
  };
  return { op: 'put', kind: 'Rollout', path: id, record };
}

/** An App as a user writes it. */
export function appObject(name: string, spec: Record<string, unknown> = {}, meta: Record<string, unknown> = {}) {
  return {
    apiVersion: 'apps.berth.dev/v1',
    kind: 'App',
    metadata: { name, ...meta },
    spec: { container: { type: 'DOCKER', docker: { image: 'nginx:1' } }, cpus: 0.5, mem: 64, ...spec },
  };
}

export const APPS = '/apis/apps.berth.dev/v1/namespaces/default/apps';
