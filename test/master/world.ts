import type { AgentEvent, AgentUpdate, KnownTask } from '../../src/core/ports/agent-link';
import type { SchedulerCall, SchedulerConnection, SchedulerEvent } from '../../src/core/ports/scheduler-driver';
import type { Offer, TaskInfo, TaskState, TaskStatus } from '../../src/core/records/mesos';
import { parseResources } from '../../src/core/records/resources';
import type { EventDraft } from '../../src/core/records/event-recorder';
import { MemoryStore } from '../../src/io/memory/store';
import { MirrorRecords } from '../../src/io/mirror/records';
import type { AgentConnection } from '../../src/master/agents';
import type { MasterOptions } from '../../src/master/context';
import { Master } from '../../src/master/master';
import { FakeClock, noopMetrics, RecordingCrashPoints, seededIds, seededRandom, silentLogger } from '../support/fakes';

const LEADER = '/berth/leader';

/** A master on a memory store, in virtual time. */
export class MasterWorld {
  readonly clock = new FakeClock();
  readonly store = new MemoryStore();
  readonly records = new MirrorRecords(this.store, this.clock, silentLogger(), noopMetrics());
  readonly events: EventDraft[] = [];
  readonly crashPoints = new RecordingCrashPoints();
  /** How often a master has said that offers begin after it awaited the agents. */
  settled = 0;
  private readonly end = new AbortController();
  private terms = 0;

  async start(): Promise<void> {
    await this.records.start(this.end.signal);
  }

  /** The master of a new term; the fence of the one before is void. */
  async lead(options: Partial<MasterOptions> = {}): Promise<Master> {
    if (this.terms++ > 0) await this.store.commit([{ kind: 'delete', key: LEADER }]);
    const createRevision = await this.store.commit([{ kind: 'put', key: LEADER, value: '{}', expect: 0 }]);
    await this.records.sync();
    const master = new Master(
      {
        records: this.records,
        term: { fence: { key: LEADER, createRevision }, signal: this.end.signal },
        clock: this.clock,
        random: seededRandom(this.terms),
        ids: seededIds(this.terms),
        log: silentLogger(),
        metrics: noopMetrics(),
        events: { record: (event) => void this.events.push(event) },
        crashPoints: this.crashPoints,
        onSettled: () => void (this.settled += 1),
      },
      options,
    );
    master.start();
    return master;
  }

  task(taskId: string) {
    return [...this.records.collection('Task').list()].find(({ record }) => record.spec.taskId === taskId)?.record;
  }

  stop(): void {
    this.end.abort();
  }
}

/** An agent that does what the test tells it to. */
export class ScriptedAgent {
  readonly heard: AgentEvent[] = [];
  answersPings = true;
  closedFor: string | undefined;
  private connection: AgentConnection | undefined;
  private updates = 0;
  private attempts = 0;

  constructor(
    readonly hostname: string,
    readonly id?: string,
    readonly runId = `run-${hostname}`,
  ) {}

  connect(master: Master, tasks: readonly KnownTask[] = [], attempt = ++this.attempts): this {
    this.closedFor = undefined;
    const agent = {
      ...(this.id === undefined ? {} : { id: this.id }),
      hostname: this.hostname,
      port: 5051,
      resources: parseResources('cpus:4;mem:4096;ports:[31000-31009]'),
      attributes: [],
      containerizers: ['docker'],
      version: '0',
      runId: this.runId,
    };
    this.connection = master.connectAgent(
      { agent, tasks, attempt },
      {
        send: (event) => {
          this.heard.push(event);
          if (event.type === 'PING' && this.answersPings)
            queueMicrotask(() => this.connection?.receive({ type: 'PONG', agentId: this.agentId }));
        },
        close: (reason) => (this.closedFor = reason),
      },
    );
    return this;
  }

  get agentId(): string {
    return this.connection?.agentId ?? '';
  }

  get launched(): string[] {
    return this.heard.flatMap((event) =>
      event.type === 'LAUNCH' ? event.launch.tasks.map(({ info }) => info.task_id.value) : [],
    );
  }

  /** Sends an update; the same one again with the uuid of a former call. */
  update(frameworkId: string, taskId: string, state: TaskState, uuid = this.newUuid()): string {
    const status: TaskStatus = {
      task_id: { value: taskId },
      agent_id: { value: this.agentId },
      state,
      uuid,
      timestamp: 1,
    };
    const update: AgentUpdate = { frameworkId, status, latestState: state };
    this.connection?.receive({ type: 'UPDATE', agentId: this.agentId, update: { updates: [update] } });
    return uuid;
  }

  disconnect(): void {
    this.connection?.closed('the client has gone');
  }

  private newUuid(): string {
    return Buffer.from(`${this.hostname}-${++this.updates}`.padEnd(16).slice(0, 16)).toString('base64');
  }
}

/** A framework that keeps what it hears. */
export class ScriptedFramework {
  readonly events: SchedulerEvent[] = [];
  closedFor: string | undefined;
  private connection: SchedulerConnection | undefined;

  async subscribe(master: Master, id = 'f1'): Promise<this> {
    this.connection = await master.subscribe(
      {
        user: 'u',
        name: 'test',
        id: { value: id },
        roles: ['*'],
        capabilities: [{ type: 'MULTI_ROLE' }, { type: 'PARTITION_AWARE' }],
      },
      (event) => void this.events.push(event),
      (reason) => (this.closedFor = reason),
    );
    return this;
  }

  call(call: SchedulerCall): Promise<void> {
    if (this.connection === undefined) throw new Error('not subscribed');
    return this.connection.call(call);
  }

  get offers(): Offer[] {
    const rescinded = new Set(this.events.flatMap((e) => (e.type === 'RESCIND' ? [e.rescind.offer_id.value] : [])));
    return this.events
      .flatMap((event) => (event.type === 'OFFERS' ? event.offers.offers : []))
      .filter((offer) => !rescinded.has(offer.id.value));
  }

  statuses(taskId: string): TaskStatus[] {
    return this.events.flatMap((event) =>
      event.type === 'UPDATE' && event.update.status.task_id.value === taskId ? [event.update.status] : [],
    );
  }

  accept(offer: Offer, taskIds: readonly string[], more: Partial<TaskInfo> = {}): Promise<void> {
    const tasks = taskIds.map((id) => taskInfo(id, offer.agent_id.value, more));
    return this.call({
      type: 'ACCEPT',
      accept: { offer_ids: [offer.id], operations: [{ type: 'LAUNCH', launch: { task_infos: tasks } }] },
    });
  }
}

export function taskInfo(id: string, agentId: string, more: Partial<TaskInfo> = {}): TaskInfo {
  return {
    name: id,
    task_id: { value: id },
    agent_id: { value: agentId },
    resources: parseResources('cpus:1;mem:128'),
    command: { value: 'sleep 1' },
    ...more,
  };
}
