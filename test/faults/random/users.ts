import type { App } from '../../../src/core/records/app';
import { appIdOf } from '../../../src/core/records/paths';
import type { Recording } from '../../checker/live/observation';
import type { StoreObserver } from '../../checker/live/store-observer';
import type { Attempt } from '../../checker/promises';
import { wishOf } from '../../checker/truth';
import type { Answer } from '../../support/marathon-client';
import { IMAGE } from '../../testbed/testbed';
import type { ServerNode } from '../../testbed/server-node';
import type { Dice } from '../../sim/dice';

const APP_IDS = ['/web', '/api', '/shop/db', '/shop/cart'] as const;
/** Needs a host port of its own, so each instance needs a host of its own. */
const FIXED_PORT = '/shop/db';
const MOST = 4;
/** Answers that say that nothing was done. */
export const REFUSALS: ReadonlySet<number> = new Set([400, 401, 403, 404, 405, 409, 415, 422]);

interface Definition {
  readonly id: string;
  readonly instances: number;
  readonly env: { readonly OP: string };
  readonly [field: string]: unknown;
}

/** What a call is to do, as the checker must know it. */
interface Intent {
  readonly appId: string;
  readonly what: Attempt['kind'];
  readonly wish?: string;
  readonly taskId?: string;
  readonly leavesHalfDone?: boolean;
}

/** Users with a REST client that change and read apps through any server, and a record of what they were answered. */
export class RandomUsers {
  attempts = 0;
  /** An app may stay as mixed as it is now: its rollout was stopped by force. */
  onLeftHalfDone: (appId: string) => void = () => undefined;
  private operations = 0;
  private readonly definitions = new Map<string, Definition>();
  private readonly open = new Set<Promise<void>>();

  constructor(
    private readonly dice: Dice,
    private readonly servers: readonly ServerNode[],
    private readonly recording: Recording,
    private readonly store: StoreObserver,
  ) {}

  /** Some user does something through some server. Does not wait for the answer. */
  act(): void {
    const server = this.dice.pick(this.servers);
    if (server === undefined) return;
    const id = this.dice.one(...APP_IDS);
    const known = this.definitions.get(id);
    const app = this.app(id);
    if (known === undefined || app === undefined) return this.put(server, this.newDefinition(id));
    const act = this.dice.one('scale', 'scale', 'config', 'config', 'restart', 'kill', 'kill', 'undo', 'delete');
    const force = `force=${this.dice.hit(0.6)}`;
    if (act === 'scale') this.put(server, { ...known, instances: this.dice.between(0, mostOf(id)) });
    if (act === 'config') this.put(server, { ...known, env: { OP: this.nextOperation() } });
    if (act === 'restart')
      this.call(server, 'POST', `/v2/apps${id}/restart?${force}`, {
        appId: id,
        what: 'restart',
        wish: wishOf(app.spec),
      });
    if (act === 'delete') this.call(server, 'DELETE', `/v2/apps${id}?${force}`, { appId: id, what: 'delete' });
    if (act === 'kill') this.kill(server, id, force);
    if (act === 'undo') this.undo(server);
  }

  /** Reads every app from every server once; for ever and without a pause is the caller's part. */
  async readAll(): Promise<void> {
    await Promise.all(this.servers.map((server) => this.readFrom(server)));
  }

  /** Waits until every call has its answer. */
  async settled(): Promise<void> {
    await Promise.all(this.open);
  }

  private async readFrom(server: ServerNode): Promise<void> {
    for (const appId of APP_IDS) {
      const answer = await server.marathon.call('GET', `/v2/apps${appId}`).catch(() => undefined);
      if (answer?.status !== 200) continue;
      const { version } = (answer.body as { app: { version: string } }).app;
      this.recording.add({ kind: 'read', replica: server.node.name, appId, version });
    }
  }

  private put(server: ServerNode, definition: Definition): void {
    const { id } = definition;
    this.definitions.set(id, definition);
    const path = `/v2/apps${id}?force=${this.dice.hit(0.6)}`;
    this.call(server, 'PUT', path, { appId: id, what: 'put', wish: wishOf(definition) }, definition);
  }

  private kill(server: ServerNode, appId: string, force: string): void {
    const prefix = `${appId.slice(1).replaceAll('/', '_')}.instance-`;
    const tasks = [...this.store.state.collection('Task').list()].filter(({ record }) =>
      record.spec.taskId.startsWith(prefix),
    );
    const taskId = this.dice.pick(tasks)?.record.spec.taskId;
    if (taskId === undefined) return;
    const scale = this.dice.hit(0.4);
    const wipe = !scale && this.dice.hit(0.4);
    const path = `/v2/apps${appId}/tasks/${taskId}?scale=${scale}&wipe=${wipe}&${force}`;
    this.call(server, 'DELETE', path, { appId, what: 'scale kill', taskId });
  }

  private undo(server: ServerNode): void {
    const rollout = this.dice.pick([...this.store.state.collection('Rollout').list()]);
    const leavesHalfDone = this.dice.hit(0.3);
    const [first] = rollout?.record.spec.apps ?? [];
    if (rollout === undefined || first === undefined) return;
    if (leavesHalfDone) this.onLeftHalfDone(first.id);
    this.call(server, 'DELETE', `/v2/deployments/${rollout.record.metadata.name}?force=${leavesHalfDone}`, {
      appId: first.id,
      what: 'undo',
      leavesHalfDone,
    });
  }

  private call(server: ServerNode, method: string, path: string, intent: Intent, body?: unknown): void {
    const number = ++this.attempts;
    this.recording.add({ kind: 'fault', text: `${server.node.name}: ${method} ${path}` });
    this.recording.add({ kind: 'attempt', number, ...intent });
    const answered = server.marathon.call(method, path, body).then(
      (answer) => this.answered(number, answer),
      (error: unknown) =>
        this.recording.add({ kind: 'answer', number, outcome: 'unknown', why: `no answer: ${String(error)}` }),
    );
    const done = answered.finally(() => this.open.delete(done));
    this.open.add(done);
  }

  private answered(number: number, { status, body }: Answer): void {
    const why = `${status} ${String(JSON.stringify(body)).slice(0, 300)}`;
    if (REFUSALS.has(status)) return this.recording.add({ kind: 'answer', number, outcome: 'refused', why });
    if (status < 200 || status > 299) return this.recording.add({ kind: 'answer', number, outcome: 'unknown', why });
    const { version } = (body ?? {}) as { version?: string };
    this.recording.add({
      kind: 'answer',
      number,
      outcome: 'acknowledged',
      ...(version === undefined ? {} : { version }),
      why,
    });
  }

  private app(id: string): App | undefined {
    return [...this.store.state.collection('App').list()].find(({ path }) => appIdOf(path) === id)?.record;
  }

  private nextOperation(): string {
    this.operations += 1;
    return String(this.operations);
  }

  private newDefinition(id: string): Definition {
    const isFixed = id === FIXED_PORT;
    return {
      id,
      instances: this.dice.between(1, mostOf(id)),
      cpus: this.dice.one(0.5, 1),
      mem: 32,
      cmd: 'mkdir -p /www && echo "$OP" > /www/index.html && exec httpd -f -p 8080 -h /www',
      env: { OP: this.nextOperation() },
      container: {
        type: 'DOCKER',
        docker: { image: IMAGE },
        portMappings: [{ containerPort: 8080, hostPort: isFixed ? 31_005 : 0 }],
      },
      networks: [{ mode: 'container/bridge' }],
      healthChecks: this.dice.hit(0.5) ? [this.healthCheck()] : [],
      constraints: this.dice.hit(0.2) ? [['hostname', 'GROUP_BY']] : [],
      upgradeStrategy: isFixed
        ? { minimumHealthCapacity: this.dice.one(0, 0.5), maximumOverCapacity: 0 }
        : {
            minimumHealthCapacity: this.dice.one(0, 0.5, 1),
            maximumOverCapacity: this.dice.one(0, 0.25, 0.5, 1),
          },
      backoffSeconds: 0.5,
      backoffFactor: 1.3,
      maxLaunchDelaySeconds: 5,
      taskKillGracePeriodSeconds: this.dice.one(1, 3),
      killSelection: this.dice.one('YOUNGEST_FIRST', 'OLDEST_FIRST'),
    };
  }

  private healthCheck(): Record<string, unknown> {
    const common = { gracePeriodSeconds: 10, intervalSeconds: 2, timeoutSeconds: 2, maxConsecutiveFailures: 3 };
    return this.dice.one<Record<string, unknown>>(
      { ...common, protocol: 'HTTP', portIndex: 0, path: '/' },
      { ...common, protocol: 'TCP', portIndex: 0 },
      { ...common, protocol: 'COMMAND', command: { value: 'true' } },
    );
  }
}

function mostOf(appId: string): number {
  return appId === FIXED_PORT ? 2 : MOST;
}
