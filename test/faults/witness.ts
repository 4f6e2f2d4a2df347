import { EngineObserver } from '../checker/live/engine-observer';
import { Recording } from '../checker/live/observation';
import { judge } from '../checker/live/player';
import { StoreObserver } from '../checker/live/store-observer';
import type { Attempt } from '../checker/promises';
import { wishOf } from '../checker/truth';
import type { Answer } from '../support/marathon-client';
import type { ServerNode } from '../testbed/server-node';
import type { Testbed } from '../testbed/testbed';
import { BED_CAPACITY } from './random/run';
import { REFUSALS } from './random/users';

/** These suites leave etcd alone: it tells soon. Apps that are removed after a test must not excuse what was done to them in it. */
const LATE_MS = 3_000;

interface Intent {
  readonly appId: string;
  readonly what: Attempt['kind'];
  readonly wish?: string;
  readonly taskId?: string;
}

interface Definition {
  readonly id?: string;
  readonly instances?: number;
}

/**
 * Watches a bed from outside while a suite breaks it: every revision of the store, every container, every change that the suite asks
 * for and its answer. Afterwards the checker's rules are held against all of it: nothing twice, nothing lost, nothing killed unasked.
 */
export class Witness {
  private readonly recording = new Recording();
  private readonly store = new StoreObserver(this.recording);
  private readonly engines: readonly EngineObserver[];
  private readonly definitions = new Map<string, Definition>();
  private attempts = 0;
  private hasTold = false;

  private constructor(private readonly bed: Testbed) {
    this.engines = bed.hosts.map(
      ({ node, dockerSocket }) => new EngineObserver(node.name, dockerSocket, this.recording),
    );
  }

  static async of(bed: Testbed): Promise<Witness> {
    const witness = new Witness(bed);
    await witness.store.start(bed.etcd.map(({ endpoint }) => endpoint));
    for (const engine of witness.engines) engine.start();
    for (const server of bed.servers) witness.listenTo(server);
    return witness;
  }

  /** The suite itself is about to stop or remove a container. */
  byHand(taskId: string, what: 'stopped' | 'removed' = 'stopped'): void {
    this.recording.add({ kind: 'by hand', taskId, what });
  }

  /** For the story that a failure tells. */
  note(text: string): void {
    this.recording.add({ kind: 'fault', text });
  }

  /** Throws the first rule that was broken, with what went before; once, so that the test that broke it is the one that fails. */
  check(): void {
    if (this.hasTold) return;
    const hosts = new Map(this.bed.hosts.map(({ node }) => [node.name, BED_CAPACITY]));
    const { violation } = judge(this.recording.observations, hosts, 0, '', LATE_MS);
    if (violation === undefined) return;
    this.hasTold = true;
    throw violation;
  }

  async stop(): Promise<void> {
    await Promise.all([this.store.stop(), ...this.engines.map((engine) => engine.stop())]);
  }

  /** Every change through this server's client is recorded, and goes on as it is. */
  private listenTo({ marathon, node }: ServerNode): void {
    const call = marathon.call.bind(marathon);
    marathon.call = async (method, path, body) => {
      const intent = this.intentOf(method, path, body);
      if (intent === undefined) return call(method, path, body);
      const number = ++this.attempts;
      this.note(`${node.name}: ${method} ${path}`);
      this.recording.add({ kind: 'attempt', number, ...intent });
      try {
        const answer = await call(method, path, body);
        this.answered(number, answer);
        return answer;
      } catch (error) {
        this.recording.add({ kind: 'answer', number, outcome: 'unknown', why: `no answer: ${String(error)}` });
        throw error;
      }
    };
  }

  /** Undefined: it changes nothing. */
  private intentOf(method: string, path: string, body: unknown): Intent | undefined {
    const [, id = '', taskId] = /^\/v2\/apps(\/[^?]*?)?(?:\/tasks\/([^?]*))?(?:\?.*)?$/.exec(path) ?? [];
    if (method === 'DELETE' && taskId !== undefined) return { appId: id, what: 'scale kill', taskId };
    if (method === 'DELETE' && id !== '') return { appId: id, what: 'delete' };
    if ((method !== 'POST' && method !== 'PUT') || !path.startsWith('/v2/apps')) return undefined;
    const change = body as Definition;
    const appId = id === '' ? String(change.id) : id;
    const definition = { ...(method === 'PUT' ? this.definitions.get(appId) : {}), ...change };
    this.definitions.set(appId, definition);
    return { appId, what: 'put', wish: wishOf(definition) };
  }

  private answered(number: number, { status, body }: Answer): void {
    const why = `${status} ${String(JSON.stringify(body)).slice(0, 300)}`;
    const { version } = (body ?? {}) as { version?: string };
    const isDone = status >= 200 && status <= 299;
    const outcome = isDone ? 'acknowledged' : REFUSALS.has(status) ? 'refused' : 'unknown';
    this.recording.add({
      kind: 'answer',
      number,
      outcome,
      ...(isDone && version !== undefined ? { version } : {}),
      why,
    });
  }
}
