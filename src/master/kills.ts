import { isTerminal } from '../core/records/mesos';
import type { AgentTable } from './agents';
import type { MasterContext } from './context';
import type { Journal } from './journal';
import type { TaskEntry, TaskTable } from './task-table';

/** Kill requests: on record first, then to the agent, and again until the task has ended. */
export class Kills {
  constructor(
    private readonly context: MasterContext,
    private readonly journal: Journal,
    private readonly tasks: TaskTable,
    private readonly agents: AgentTable,
  ) {}

  /** Resolves when the wish is durable. Asking again is harmless; a new grace period replaces the old one. */
  async request(entry: TaskEntry, graceMs: number | undefined): Promise<void> {
    if (isTerminal(entry.record.status.state)) return;
    const { status } = entry.record;
    const atMs = status.killRequested?.atMs ?? this.context.clock.nowMs();
    const grace = graceMs ?? status.killRequested?.graceMs;
    const killRequested = { atMs, ...(grace === undefined ? {} : { graceMs: grace }) };
    entry.record = { ...entry.record, status: { ...status, killRequested } };
    this.tasks.killing.add(entry);
    await this.journal.putTask(entry.path, entry.record);
    this.context.crashPoints.reach('master.kill-written');
    this.send(entry);
  }

  /** Once per LIMITS.killRetryMs: what was asked for and has not ended. */
  resend(): void {
    for (const entry of this.tasks.killing) this.send(entry);
  }

  /** Only after the launch: both go down one stream, in order. */
  send(entry: TaskEntry): void {
    if (!entry.isDurable || isTerminal(entry.record.status.state)) return;
    this.agents.kill(entry.agentId, entry.frameworkId, entry.id, entry.record.status.killRequested?.graceMs);
  }
}
