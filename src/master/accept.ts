import { refuseMs, type HierarchicalAllocator } from '../core/allocator/allocator';
import { messageOf, UnavailableError } from '../core/errors';
import { LIMITS } from '../core/limits';
import type { Counter } from '../core/ports/metrics';
import type { SchedulerCall } from '../core/ports/scheduler-driver';
import type { TaskInfo } from '../core/records/mesos';
import { timestamp } from '../core/records/metadata';
import type { Task } from '../core/records/records';
import { allocatedTo, ResourceBag } from '../core/records/resources';
import type { AgentTable } from './agents';
import type { MasterContext } from './context';
import type { FrameworkEntry } from './frameworks';
import type { Journal } from './journal';
import type { OfferBook, OpenOffer } from './offers';
import type { MasterVerdict, TaskUpdates } from './task-updates';
import { taskEntry, type TaskEntry, type TaskTable } from './task-table';
import { validateTask } from './task-validation';

type AcceptCall = Extract<SchedulerCall, { type: 'ACCEPT' }>['accept'];
type DeclineCall = Extract<SchedulerCall, { type: 'DECLINE' }>['decline'];

/** Answers to offers: ACCEPT launches tasks on them, DECLINE gives them back. */
export class OfferAnswers {
  private readonly launches: Counter;

  constructor(
    private readonly context: MasterContext,
    private readonly journal: Journal,
    private readonly tasks: TaskTable,
    private readonly agents: AgentTable,
    private readonly offers: OfferBook,
    private readonly updates: TaskUpdates,
    private readonly allocator: HierarchicalAllocator,
  ) {
    this.launches = context.metrics.counter({
      name: 'berth_task_launches_total',
      help: 'Tasks written to the store and sent to an agent.',
    });
  }

  /**
   * Resolves when every task is durable or refused. Any number may be under way: offers are taken and resources are booked at
   * once, so that what follows sees them as used. Rejects with UnavailableError, with nothing done, while too many writes wait.
   */
  async accept(framework: FrameworkEntry, call: AcceptCall): Promise<void> {
    if (this.journal.pending > LIMITS.pendingMasterWrites)
      throw new UnavailableError('the store', { detail: 'too many tasks wait to be written' });
    const infos = call.operations.flatMap((operation) => operation.launch.task_infos);
    const { offers, problem } = this.takeOffers(framework, call);
    const first = offers[0];
    if (problem !== undefined || first === undefined) {
      for (const offer of offers) this.offers.recover(offer);
      this.offers.request();
      return this.refuseAll(framework, infos, problem ?? noOffers());
    }
    const entries = this.book(framework, first, offers, infos, call.filters?.refuse_seconds);
    this.offers.request();
    this.context.crashPoints.reach('master.offer-accepted');
    await this.launch(first.agentId, entries);
  }

  decline(framework: FrameworkEntry, call: DeclineCall): void {
    for (const { value } of call.offer_ids) {
      const offer = this.offers.take(framework.id, value);
      if (offer !== undefined) this.giveBack(offer, offer.resources, call.filters?.refuse_seconds, false);
    }
    this.offers.request();
  }

  /** All offers of the call that are open, and what is wrong with the call, if anything is. */
  private takeOffers(
    framework: FrameworkEntry,
    call: AcceptCall,
  ): { readonly offers: readonly OpenOffer[]; readonly problem?: MasterVerdict } {
    const offers: OpenOffer[] = [];
    let problem: string | undefined;
    for (const { value } of call.offer_ids) {
      const offer = this.offers.take(framework.id, value);
      if (offer === undefined) {
        const isTwice = offers.some((taken) => taken.id === value);
        problem ??= isTwice ? `Duplicate offer ${value}` : `Offer ${value} is no longer valid`;
      } else offers.push(offer);
    }
    const [first, ...others] = offers;
    if (others.some((offer) => offer.agentId !== first?.agentId)) problem ??= 'Aggregated offers must be of one agent';
    if (others.some((offer) => offer.role !== first?.role)) problem ??= 'Aggregated offers must be of one role';
    if (problem !== undefined) return { offers, problem: invalidOffers(problem) };
    if (first === undefined || this.agents.isConnected(first.agentId)) return { offers };
    const isKnown = this.agents.get(first.agentId) !== undefined;
    return { offers, problem: isKnown ? agentDisconnected() : agentRemoved() };
  }

  /** Splits what was offered between the tasks and the allocator. Bad tasks are answered here. */
  private book(
    framework: FrameworkEntry,
    offer: OpenOffer,
    offers: readonly OpenOffer[],
    infos: readonly TaskInfo[],
    refuseSeconds: number | undefined,
  ): TaskEntry[] {
    let available = offers.reduce((sum, each) => sum.plus(each.resources), ResourceBag.empty);
    const entries: TaskEntry[] = [];
    for (const info of infos) {
      const verdict = validateTask(info, {
        agentId: offer.agentId,
        role: offer.role,
        available,
        isIdInUse: (taskId) => this.tasks.find(taskId) !== undefined,
      });
      if (!verdict.ok) {
        const message = verdict.message;
        const error: MasterVerdict = { state: 'TASK_ERROR', reason: 'REASON_TASK_INVALID', message };
        this.updates.reply(framework.id, info.task_id.value, offer.agentId, error);
        continue;
      }
      available = available.minus(verdict.resources);
      const entry = taskEntry(this.taskOf(framework, offer, info), false);
      entry.holdsResources = true;
      this.tasks.add(entry);
      entries.push(entry);
    }
    this.giveBack(offer, available, refuseSeconds, entries.length > 0);
    return entries;
  }

  /**
   * What is left over is declined with the filter of the call (Mesos). Without filter it is free for the next run if tasks
   * were launched, and for the next interval if not: else framework and master would play ping-pong.
   */
  private giveBack(offer: OpenOffer, rest: ResourceBag, refuseSeconds: number | undefined, isUsed: boolean): void {
    if (rest.isEmpty) return;
    const ms = refuseMs(refuseSeconds, this.context.options.allocationIntervalMs);
    const { frameworkId, role, agentId } = offer;
    if (ms > 0) this.allocator.refuse(frameworkId, role, agentId, rest, this.context.clock.monotonicMs() + ms);
    this.offers.recover(offer, rest, ms > 0 || isUsed ? 'now' : 'later');
  }

  private taskOf(framework: FrameworkEntry, offer: OpenOffer, info: TaskInfo): Task {
    const nowMs = this.context.clock.nowMs();
    return {
      kind: 'Task',
      metadata: {
        name: info.task_id.value,
        uid: this.context.ids.uuid(),
        generation: 1,
        creationTimestamp: timestamp(nowMs),
      },
      spec: {
        taskId: info.task_id.value,
        agentId: offer.agentId,
        frameworkId: framework.id,
        role: offer.role,
        info: { ...info, resources: allocatedTo(info.resources, offer.role) },
      },
      status: { state: 'TASK_STAGING', stagedAtMs: nowMs, history: [{ state: 'TASK_STAGING', timestampMs: nowMs }] },
    };
  }

  /** Writes the tasks, then sends those that are still wanted and whose agent is there. The others follow when it is back. */
  private async launch(agentId: string, entries: readonly TaskEntry[]): Promise<void> {
    if (entries.length === 0) return;
    const results = await Promise.allSettled(entries.map((entry) => this.journal.putTask(entry.path, entry.record)));
    const durable: TaskEntry[] = [];
    for (const [index, result] of results.entries()) {
      const entry = entries[index];
      if (entry === undefined) continue;
      if (result.status === 'fulfilled') durable.push(entry);
      else this.unwritable(entry, result.reason);
    }
    for (const entry of durable) entry.isDurable = true;
    this.context.crashPoints.reach('master.task-written');
    const wanted = durable.filter((entry) => entry.record.status.state === 'TASK_STAGING');
    this.agents.launch(
      agentId,
      wanted.map(({ frameworkId, record }) => ({ frameworkId, info: record.spec.info })),
    );
    this.context.crashPoints.reach('master.task-sent');
    this.launches.inc({}, durable.length);
  }

  /** The store refused this record for good, or the term is over (then nobody hears us any more). */
  private unwritable(entry: TaskEntry, error: unknown): void {
    this.tasks.remove(entry);
    this.updates.release(entry);
    if (this.context.term.signal.aborted) return;
    const message = `Task could not be written: ${messageOf(error)}`;
    const verdict: MasterVerdict = { state: 'TASK_ERROR', reason: 'REASON_TASK_INVALID', message };
    this.updates.reply(entry.frameworkId, entry.id, entry.agentId, verdict);
  }

  private refuseAll(framework: FrameworkEntry, infos: readonly TaskInfo[], verdict: MasterVerdict): void {
    for (const info of infos) this.updates.reply(framework.id, info.task_id.value, info.agent_id.value, verdict);
  }
}

function invalidOffers(detail: string): MasterVerdict {
  return {
    state: 'TASK_DROPPED',
    reason: 'REASON_INVALID_OFFERS',
    message: `Task launched with invalid offers: ${detail}`,
  };
}

function noOffers(): MasterVerdict {
  return invalidOffers('No offers specified');
}

function agentDisconnected(): MasterVerdict {
  return { state: 'TASK_DROPPED', reason: 'REASON_AGENT_DISCONNECTED', message: 'Agent disconnected' };
}

function agentRemoved(): MasterVerdict {
  return { state: 'TASK_DROPPED', reason: 'REASON_AGENT_REMOVED', message: 'Agent removed' };
}
