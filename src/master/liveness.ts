import type { HierarchicalAllocator } from '../core/allocator/allocator';
import type { Timer } from '../core/ports/clock';
import type { Gauge } from '../core/ports/metrics';
import { isTerminal } from '../core/records/mesos';
import { AgentRecords, unreachable } from './agent-records';
import type { AgentEntry, AgentTable } from './agents';
import type { MasterContext } from './context';
import type { FrameworkTable } from './frameworks';
import type { OfferBook } from './offers';
import type { TaskUpdates } from './task-updates';
import type { TaskEntry, TaskTable } from './task-table';

/** Agents are pinged in turns, so that ten thousand pings do not go out in one moment. */
const SLICES = 10;

/** Pings, and what follows when nobody answers. */
export class Liveness {
  private timer: Timer | undefined;
  private slice = 0;
  private lastTickMs: number;
  private isStoreAway = false;
  private isBraking = false;
  private readonly brake: Gauge;

  constructor(
    private readonly context: MasterContext,
    private readonly records: AgentRecords,
    private readonly tasks: TaskTable,
    private readonly agents: AgentTable,
    private readonly frameworks: FrameworkTable,
    private readonly allocator: HierarchicalAllocator,
    private readonly updates: TaskUpdates,
    private readonly offers: OfferBook,
  ) {
    this.lastTickMs = context.clock.monotonicMs();
    this.brake = context.metrics.gauge({
      name: 'berth_agents_brake',
      help: '1 while so many agents are silent that nobody is declared unreachable.',
    });
    this.brake.set(0);
  }

  start(): void {
    this.lastTickMs = this.context.clock.monotonicMs();
    this.finishLosses();
    this.schedule();
  }

  /** A leader that died between the record of a lost agent and those of its tasks has left tasks that seem to run. */
  private finishLosses(): void {
    for (const entry of this.agents.all())
      if (entry.state === 'unreachable' && this.tasks.ofAgent(entry.id).some(isBelievedHere))
        void this.agents.inTurn(entry, async () => {
          if (entry.state === 'unreachable') await this.loseTasks(entry);
        });
  }

  stop(): void {
    this.timer?.cancel();
  }

  private schedule(): void {
    this.timer = this.context.clock.after(this.context.options.pingIntervalMs / SLICES, () => {
      this.tick();
      this.schedule();
    });
  }

  private tick(): void {
    if (this.context.term.signal.aborted || this.isPaused()) return;
    this.slice = (this.slice + 1) % SLICES;
    const lost: AgentEntry[] = [];
    let index = 0;
    for (const entry of this.agents.all()) if (index++ % SLICES === this.slice && this.check(entry)) lost.push(entry);
    if (lost.length > 0) this.declare(lost);
    else if (this.isBraking && !this.isBrakeOn()) this.letGo();
  }

  /**
   * While the store is away, or when this process has stood still, silence says more about us than about the agents: their
   * timers start again afterwards.
   */
  private isPaused(): boolean {
    const nowMs = this.context.clock.monotonicMs();
    const stoodStill = nowMs - this.lastTickMs > 2 * this.context.options.pingIntervalMs;
    this.lastTickMs = nowMs;
    const isAway = !this.context.records.isFresh();
    if (stoodStill || (this.isStoreAway && !isAway)) this.restartTimers(nowMs);
    if (isAway && !this.isStoreAway) this.context.log.warn('the store is away: no agent is declared unreachable');
    this.isStoreAway = isAway;
    return isAway || stoodStill;
  }

  private restartTimers(nowMs: number): void {
    for (const entry of this.agents.all()) {
      entry.missedPings = 0;
      entry.awaitsPong = false;
      entry.deadlineMs = nowMs + this.context.options.reregisterTimeoutMs;
    }
  }

  /** One turn of one agent. True: it has been silent for too long. */
  private check(entry: AgentEntry): boolean {
    switch (entry.state) {
      case 'unreachable':
      case 'gone':
        return false;
      case 'recovered':
        return this.context.clock.monotonicMs() >= entry.deadlineMs;
      case 'registering':
      case 'connected':
      case 'disconnected':
        if (entry.session === undefined || entry.awaitsPong) entry.missedPings += 1;
        entry.awaitsPong = entry.session !== undefined;
        this.agents.sendTo(entry, { type: 'PING' });
        return entry.missedPings >= this.context.options.maxMissedPings;
    }
  }

  private declare(lost: readonly AgentEntry[]): void {
    if (this.isBrakeOn()) return this.setBrake(true);
    if (this.isBraking) return this.letGo();
    for (const entry of lost) void this.agents.inTurn(entry, () => this.lose(entry));
  }

  /** Where some have come back the others may be on their way: each gets its time again before it counts as lost. */
  private letGo(): void {
    const { pingIntervalMs, maxMissedPings } = this.context.options;
    const patienceMs = this.context.clock.monotonicMs() + pingIntervalMs * maxMissedPings;
    for (const entry of this.agents.all()) {
      entry.missedPings = 0;
      entry.deadlineMs = Math.max(entry.deadlineMs, patienceMs);
    }
    this.setBrake(false);
  }

  /** Too many at once: the fault is more likely between us and them than in each of them. */
  private isBrakeOn(): boolean {
    const { silent, all } = this.silence();
    return all > 0 && silent / all > this.context.options.silentAgentsBrake;
  }

  private silence(): { readonly silent: number; readonly all: number } {
    let silent = 0;
    let all = 0;
    for (const entry of this.agents.all()) {
      if (entry.state === 'unreachable' || entry.state === 'gone') continue;
      all += 1;
      if (entry.session === undefined || entry.missedPings > 0) silent += 1;
    }
    return { silent, all };
  }

  private setBrake(on: boolean): void {
    if (on === this.isBraking) return;
    this.isBraking = on;
    this.brake.set(on ? 1 : 0);
    const { silent, all } = this.silence();
    const message = on
      ? `${silent} of ${all} agents are silent at once: none of them is declared unreachable, no task is replaced`
      : 'Enough agents answer again: those that stay silent for as long again are declared unreachable';
    this.context.log.warn(message, { silent, all });
    this.context.events.record({
      involvedObject: { kind: 'Master', name: 'master' },
      type: on ? 'Warning' : 'Normal',
      reason: on ? 'TooManyAgentsSilent' : 'AgentsAnswerAgain',
      message,
    });
  }

  /** The agent's record first, then its tasks, then the frameworks (Mesos' order). Nothing if it is back meanwhile. */
  private async lose(entry: AgentEntry): Promise<void> {
    if (!this.isStillLost(entry)) return;
    const { session } = entry;
    await this.records.update(entry.id, (current) => unreachable(current, this.context.clock.nowMs()));
    this.context.crashPoints.reach('master.agent-lost');
    if (entry.session !== session) return; // a new stream: its registration comes next and puts the record right
    this.agents.closeSession(entry, 'no answer to pings');
    entry.state = 'unreachable';
    this.offers.rescindAgent(entry.id);
    const { hostname } = entry.info;
    this.context.log.warn('an agent is unreachable', { agentId: entry.id, hostname });
    this.context.events.record({
      involvedObject: { kind: 'Agent', name: entry.id },
      type: 'Warning',
      reason: 'AgentUnreachable',
      message: `Agent on ${hostname} does not answer`,
    });
    await this.loseTasks(entry);
    if (this.records.get(entry.id) === undefined) this.agents.remove(entry);
  }

  /** A stream that opened meanwhile waits for its turn after this one and will bring everything back. */
  private isStillLost(entry: AgentEntry): boolean {
    if (entry.state === 'unreachable' || entry.state === 'gone') return false;
    if (entry.state === 'recovered') return true;
    return entry.missedPings >= this.context.options.maxMissedPings;
  }

  private async loseTasks(entry: AgentEntry): Promise<void> {
    const writes: Promise<void>[] = [];
    for (const task of this.tasks.ofAgent(entry.id)) {
      this.updates.release(task);
      if (!isBelievedHere(task)) continue;
      const message = `Agent on ${entry.info.hostname} is unreachable`;
      writes.push(this.updates.byMaster(task, { state: 'TASK_UNREACHABLE', reason: 'REASON_AGENT_REMOVED', message }));
    }
    this.allocator.removeAgent(entry.id);
    await Promise.all(writes);
    this.frameworks.sendToAll({ type: 'FAILURE', failure: { agent_id: { value: entry.id } } });
  }
}

/** Neither over nor lost, as far as its record tells. */
function isBelievedHere({ record }: TaskEntry): boolean {
  return !isTerminal(record.status.state) && record.status.state !== 'TASK_UNREACHABLE';
}
