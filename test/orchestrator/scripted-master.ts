import { UnavailableError } from '../../src/core/errors';
import type {
  SchedulerCall,
  SchedulerConnection,
  SchedulerDriver,
  SchedulerEvent,
} from '../../src/core/ports/scheduler-driver';
import type { Clock } from '../../src/core/ports/clock';
import type { Records } from '../../src/core/ports/records';
import {
  isTerminal,
  type FrameworkInfo,
  type Offer,
  type TaskInfo,
  type TaskState,
  type TaskStatus,
} from '../../src/core/records/mesos';
import { taskPath } from '../../src/core/records/paths';
import type { Agent, Task } from '../../src/core/records/records';

export interface AgentScript {
  readonly id: string;
  readonly hostname?: string;
  readonly cpus?: number;
  readonly mem?: number;
  readonly ports?: readonly [number, number];
  readonly attributes?: Readonly<Record<string, string>>;
  readonly containerizers?: readonly string[];
}

/** A master that does exactly what its script says: offers on REVIVE, tasks on record at ACCEPT, the rest when told. */
export class ScriptedMaster implements SchedulerDriver {
  readonly calls: SchedulerCall[] = [];
  readonly acknowledged: string[] = [];
  /** What becomes of a task right after its launch. */
  onLaunch: 'staging' | 'running' | 'fails' | 'refused' = 'running';
  /** Whether a kill is carried out at once. */
  kills = true;
  /** Offers are made at each REVIVE; otherwise by offer(). */
  offersOnRevive = true;
  agents: readonly AgentScript[] = [];
  private sink: ((event: SchedulerEvent) => void) | undefined;
  private closedSink: ((reason: string) => void) | undefined;
  private counter = 0;

  constructor(
    private readonly records: Records,
    private readonly clock: Clock,
  ) {}

  async subscribe(
    info: FrameworkInfo,
    onEvent: (event: SchedulerEvent) => void,
    onClosed: (reason: string) => void,
  ): Promise<SchedulerConnection> {
    this.sink = onEvent;
    this.closedSink = onClosed;
    const framework_id = info.id ?? { value: 'f' };
    onEvent({ type: 'SUBSCRIBED', subscribed: { framework_id, heartbeat_interval_seconds: 15 } });
    return { call: (call) => this.take(call), close: () => (this.sink = undefined) };
  }

  closeStream(reason: string): void {
    this.sink = undefined;
    this.closedSink?.(reason);
  }

  callsOf<T extends SchedulerCall['type']>(type: T): Extract<SchedulerCall, { type: T }>[] {
    return this.calls.filter((call): call is Extract<SchedulerCall, { type: T }> => call.type === type);
  }

  launched(): TaskInfo[] {
    return this.callsOf('ACCEPT').flatMap(({ accept }) =>
      accept.operations.flatMap(({ launch }) => [...launch.task_infos]),
    );
  }

  async addAgents(agents: readonly AgentScript[]): Promise<void> {
    this.agents = [...this.agents, ...agents];
    await this.records.write(
      agents.map((agent) => ({ op: 'put', kind: 'Agent', path: agent.id, record: agentRecord(agent) })),
    );
  }

  /** Offers what every agent has free. */
  offer(): void {
    const offers = this.agents.map((agent) => this.offerOf(agent)).filter((offer) => offer !== undefined);
    if (offers.length > 0) this.emit({ type: 'OFFERS', offers: { offers } });
  }

  emit(event: SchedulerEvent): void {
    this.sink?.(event);
  }

  /** The task's record is written, then the framework hears of it: the order the real master keeps. */
  async update(
    taskId: string,
    state: TaskState,
    more: Partial<TaskStatus> & { unreachableSinceMs?: number } = {},
  ): Promise<void> {
    const stored = this.task(taskId);
    if (stored === undefined) throw new Error(`no task ${taskId}`);
    const { unreachableSinceMs, ...rest } = more;
    const status: TaskStatus = {
      task_id: { value: taskId },
      state,
      agent_id: { value: stored.record.spec.agentId },
      uuid: `uuid-${++this.counter}`,
      timestamp: this.clock.nowMs() / 1000,
      ...rest,
    };
    const { unreachableSinceMs: _before, ...known } = stored.record.status;
    const record: Task = {
      ...stored.record,
      status: {
        ...known,
        state,
        latest: status,
        ...(state === 'TASK_RUNNING' ? { startedAtMs: known.startedAtMs ?? this.clock.nowMs() } : {}),
        ...(unreachableSinceMs === undefined ? {} : { unreachableSinceMs }),
      },
    };
    await this.records.write([{ op: 'put', kind: 'Task', path: stored.path, record }]);
    this.emit({ type: 'UPDATE', update: { status } });
  }

  task(taskId: string) {
    return [...this.records.collection('Task').list()].find(({ record }) => record.spec.taskId === taskId);
  }

  private async take(call: SchedulerCall): Promise<void> {
    if (this.sink === undefined) throw new UnavailableError('master');
    this.calls.push(call);
    if (call.type === 'REVIVE' && this.offersOnRevive) void Promise.resolve().then(() => this.offer());
    if (call.type === 'ACCEPT') {
      for (const operation of call.accept.operations) {
        for (const info of operation.launch.task_infos) await this.launch(info);
      }
    }
    if (call.type === 'KILL') await this.kill(call.kill.task_id.value);
    if (call.type === 'ACKNOWLEDGE') await this.acknowledge(call.acknowledge.task_id.value, call.acknowledge.uuid);
  }

  private async launch(info: TaskInfo): Promise<void> {
    const taskId = info.task_id.value;
    if (this.onLaunch === 'refused') {
      const status: TaskStatus = {
        task_id: info.task_id,
        state: 'TASK_ERROR',
        message: 'bad task',
        reason: 'REASON_TASK_INVALID',
      };
      this.emit({ type: 'UPDATE', update: { status } });
      return;
    }
    const agentId = info.agent_id.value;
    const record = taskRecord(info, this.clock.nowMs());
    await this.records.write([{ op: 'put', kind: 'Task', path: taskPath(agentId, taskId), record, expect: 0 }]);
    if (this.onLaunch === 'running') await this.update(taskId, 'TASK_RUNNING');
    if (this.onLaunch === 'fails') await this.update(taskId, 'TASK_FAILED', { message: 'exit code 1' });
  }

  private async kill(taskId: string): Promise<void> {
    const stored = this.task(taskId);
    if (stored === undefined || isTerminal(stored.record.status.state)) return;
    const status = { ...stored.record.status, killRequested: { atMs: this.clock.nowMs() } };
    await this.records.write([{ op: 'put', kind: 'Task', path: stored.path, record: { ...stored.record, status } }]);
    if (this.kills && stored.record.status.state !== 'TASK_UNREACHABLE') await this.update(taskId, 'TASK_KILLED');
  }

  private async acknowledge(taskId: string, uuid: string): Promise<void> {
    this.acknowledged.push(uuid);
    const stored = this.task(taskId);
    if (stored === undefined || !isTerminal(stored.record.status.state)) return;
    if (stored.record.status.latest?.uuid === uuid) {
      await this.records.write([{ op: 'delete', kind: 'Task', path: stored.path }]);
    }
  }

  private offerOf(agent: AgentScript): Offer | undefined {
    const tasks = this.records
      .collection('Task')
      .in(agent.id)
      .filter(({ record }) => !isTerminal(record.status.state));
    const used = (name: string) =>
      tasks
        .flatMap(({ record }) => record.spec.info.resources)
        .filter((resource) => resource.name === name)
        .reduce((sum, { scalar }) => sum + (scalar?.value ?? 0), 0);
    const cpus = (agent.cpus ?? 4) - used('cpus');
    const mem = (agent.mem ?? 4096) - used('mem');
    if (cpus <= 0 || mem <= 0) return undefined;
    const [begin, end] = agent.ports ?? [31_000, 32_000];
    return {
      id: { value: `offer-${++this.counter}` },
      framework_id: { value: 'berth-marathon' },
      agent_id: { value: agent.id },
      hostname: agent.hostname ?? agent.id,
      resources: [
        { name: 'cpus', type: 'SCALAR', scalar: { value: cpus } },
        { name: 'mem', type: 'SCALAR', scalar: { value: mem } },
        { name: 'disk', type: 'SCALAR', scalar: { value: 10_000 } },
        { name: 'ports', type: 'RANGES', ranges: { range: [{ begin, end }] } },
      ],
      attributes: attributesOf(agent),
      allocation_info: { role: '*' },
    };
  }
}

function attributesOf(agent: AgentScript): Agent['spec']['attributes'] {
  return Object.entries(agent.attributes ?? {}).map(([name, value]) => ({ name, type: 'TEXT', text: { value } }));
}

function agentRecord(agent: AgentScript): Agent {
  return {
    kind: 'Agent',
    metadata: { name: agent.id, uid: agent.id, generation: 1, creationTimestamp: '2026-01-01T00:00:00.000Z' },
    spec: {
      hostname: agent.hostname ?? agent.id,
      port: 5051,
      resources: [],
      attributes: attributesOf(agent),
      containerizers: [...(agent.containerizers ?? ['docker'])],
    },
    status: { state: 'active', registeredAt: '2026-01-01T00:00:00.000Z' },
  };
}

export function taskRecord(info: TaskInfo, nowMs: number, state: TaskState = 'TASK_STAGING'): Task {
  return {
    kind: 'Task',
    metadata: {
      name: info.task_id.value,
      uid: info.task_id.value,
      generation: 1,
      creationTimestamp: new Date(nowMs).toISOString(),
    },
    spec: {
      taskId: info.task_id.value,
      agentId: info.agent_id.value,
      frameworkId: 'berth-marathon',
      role: '*',
      info,
    },
    status: { state, stagedAtMs: nowMs, history: [] },
  };
}
