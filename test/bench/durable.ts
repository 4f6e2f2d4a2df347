import type { AgentEvent } from '../../src/core/ports/agent-link';
import type { SchedulerConnection, SchedulerEvent } from '../../src/core/ports/scheduler-driver';
import type { Offer, TaskInfo } from '../../src/core/records/mesos';
import { parseResources } from '../../src/core/records/resources';
import { EtcdConnection } from '../../src/io/etcd/connection';
import { EtcdStore } from '../../src/io/etcd/store';
import { MirrorRecords } from '../../src/io/mirror/records';
import { SystemRandom, UuidSource } from '../../src/io/system/chance';
import { SystemClock } from '../../src/io/system/clock';
import type { AgentConnection } from '../../src/master/agents';
import { Master } from '../../src/master/master';
import { noopMetrics, silentLogger } from '../support/fakes';
import { startEtcd } from '../support/etcd';
import { waitFor } from '../support/wait';
import { perSecond, timed, type Row } from './harness';

const AGENTS = 10_000;
const TASKS_PER_AGENT = 4;
const LEADER_KEY = '/berth/bench-leader';

/** The real master on a real etcd with simulated agents: tasks made durable, and tasks reported as running. */
export async function durablePlacements(): Promise<Row[]> {
  const etcd = await startEtcd();
  const stop = new AbortController();
  const connection = new EtcdConnection({ endpoints: [etcd.endpoint] }, new SystemRandom());
  try {
    const clock = new SystemClock();
    const store = new EtcdStore(connection, clock, noopMetrics());
    const records = new MirrorRecords(store, clock, silentLogger(), noopMetrics());
    await records.start(stop.signal);
    const createRevision = await store.commit([{ kind: 'put', key: LEADER_KEY, value: 'bench', expect: 0 }]);
    const master = new Master({
      records,
      term: { fence: { key: LEADER_KEY, createRevision }, signal: stop.signal },
      clock,
      random: new SystemRandom(),
      ids: new UuidSource(),
      log: silentLogger(),
      metrics: noopMetrics(),
      events: { record: () => undefined },
    });
    master.start();
    const fleet = new Fleet(master);
    await fleet.connect();
    const framework = new Greedy(master);
    const count = AGENTS * TASKS_PER_AGENT;
    const run = await timed(async () => {
      await framework.launchEverywhere();
      await waitFor('all tasks to be launched', () => fleet.launched >= count, 120_000, 5);
    });
    const running = await timed(() => waitFor('all tasks to run', () => framework.running >= count, 240_000, 5));
    master.stop();
    const durable = (count / run.ms) * 1_000;
    const whole = (count / (run.ms + running.ms)) * 1_000;
    const ceiling = await batchedCeiling(store);
    return [
      {
        what: `durable placements, ${AGENTS.toLocaleString('en')} simulated agents`,
        measured: perSecond(durable, 'tasks'),
        floor: `${perSecond(ceiling, 'keys')} batched ceiling of the same etcd`,
        ratio: durable / ceiling,
        goal: '>= 20,000/s; >= 0.33x',
        met: durable >= 20_000 && durable / ceiling >= 0.33,
      },
      {
        what: `to RUNNING, ${AGENTS.toLocaleString('en')} simulated agents`,
        measured: perSecond(whole, 'tasks'),
        floor: '',
        goal: '>= 7,000/s',
        met: whole >= 7_000,
      },
    ];
  } finally {
    stop.abort();
    connection.close();
    await etcd.stop();
  }
}

/** Agents without anything behind them: whatever they are told to launch runs at once. */
class Fleet {
  launched = 0;

  constructor(private readonly master: Master) {}

  async connect(): Promise<void> {
    const resources = parseResources('cpus:8;mem:16384;disk:100000;ports:[31000-32000]');
    let subscribed = 0;
    for (let i = 0; i < AGENTS; i++) {
      const agent = {
        hostname: `host-${i}`,
        port: 5051,
        resources,
        attributes: [],
        containerizers: ['docker'],
        version: 'bench',
        runId: `run-${i}`,
      };
      let connection: AgentConnection | undefined;
      const send = (event: AgentEvent) => {
        if (event.type === 'SUBSCRIBED') subscribed++;
        if (event.type === 'PING') connection?.receive({ type: 'PONG', agentId: connection.agentId });
        if (event.type === 'LAUNCH') setImmediate(() => this.run(connection, event.launch.tasks));
      };
      connection = this.master.connectAgent({ agent, tasks: [] }, { send, close: () => undefined });
    }
    await waitFor('all agents to be on record', () => subscribed === AGENTS, 120_000, 5);
  }

  private run(
    connection: AgentConnection | undefined,
    tasks: readonly { readonly frameworkId: string; readonly info: TaskInfo }[],
  ): void {
    this.launched += tasks.length;
    if (connection === undefined) return;
    const updates = tasks.map(({ frameworkId, info }) => ({
      frameworkId,
      latestState: 'TASK_RUNNING' as const,
      status: {
        task_id: info.task_id,
        agent_id: info.agent_id,
        state: 'TASK_RUNNING' as const,
        uuid: Buffer.from(info.task_id.value.padStart(16, '0').slice(-16)).toString('base64'),
        timestamp: 1,
      },
    }));
    connection.receive({ type: 'UPDATE', agentId: connection.agentId, update: { updates } });
  }
}

/** A framework that takes every offer once, with as many tasks as it wants there. */
class Greedy {
  running = 0;
  private readonly offers: Offer[] = [];
  private connection: SchedulerConnection | undefined;

  constructor(private readonly master: Master) {}

  async launchEverywhere(): Promise<void> {
    const info = { user: 'bench', name: 'bench', roles: ['*'], capabilities: [{ type: 'MULTI_ROLE' }] };
    this.connection = await this.master.subscribe(
      info,
      (event) => this.hear(event),
      () => undefined,
    );
    await waitFor('all offers', () => this.offers.length >= AGENTS, 60_000, 1);
    await Promise.all(this.offers.map((offer, i) => this.take(offer, i)));
  }

  private hear(event: SchedulerEvent): void {
    if (event.type === 'OFFERS') this.offers.push(...event.offers.offers);
    if (event.type !== 'UPDATE') return;
    const { status } = event.update;
    if (status.state === 'TASK_RUNNING') this.running++;
    if (status.uuid === undefined || status.agent_id === undefined) return;
    const acknowledge = { agent_id: status.agent_id, task_id: status.task_id, uuid: status.uuid };
    void this.connection?.call({ type: 'ACKNOWLEDGE', acknowledge });
  }

  private async take(offer: Offer, number: number): Promise<void> {
    const tasks = Array.from({ length: TASKS_PER_AGENT }, (_, i): TaskInfo => ({
      name: 'bench',
      task_id: { value: `bench-${number}-${i}` },
      agent_id: offer.agent_id,
      resources: parseResources('cpus:0.1;mem:32'),
      command: { value: 'sleep 1000' },
      container: { type: 'DOCKER', docker: { image: 'bench' } },
    }));
    await this.connection?.call({
      type: 'ACCEPT',
      accept: {
        offer_ids: [offer.id],
        operations: [{ type: 'LAUNCH', launch: { task_infos: tasks } }],
        filters: { refuse_seconds: 3_600 },
      },
    });
  }
}

/** Puts of records of the same size, 64 in a transaction, 16 transactions at once: what the etcd below can do at best. */
async function batchedCeiling(store: EtcdStore): Promise<number> {
  const value = JSON.stringify({ filler: 'x'.repeat(900) });
  const transactions = 640;
  let next = 0;
  const { ms: took } = await timed(() =>
    Promise.all(
      Array.from({ length: 16 }, async () => {
        for (let i = next++; i < transactions; i = next++) {
          await store.commit(
            Array.from({ length: 64 }, (_, k) => ({ kind: 'put' as const, key: `/bench/${i}/${k}`, value })),
          );
        }
      }),
    ),
  );
  return ((transactions * 64) / took) * 1_000;
}
