import { ConflictError, FencedError, messageOf, UnavailableError } from '../core/errors';
import { LIMITS } from '../core/limits';
import { sleep } from '../core/ports/clock';
import type { AgentInfo } from '../core/ports/agent-link';
import { timestamp } from '../core/records/metadata';
import type { Agent } from '../core/records/records';
import type { MasterContext } from './context';

/** Writes of agents' records. Operators edit them too (cordon, labels), so each write is a compare-and-swap. */
export class AgentRecords {
  constructor(
    private readonly context: MasterContext,
    private readonly onFenced: () => void,
  ) {}

  get(id: string): Agent | undefined {
    return this.context.records.collection('Agent').get(id)?.record;
  }

  /**
   * Reads, changes, writes, and begins again if somebody else wrote meanwhile; waits while the store does not answer.
   * `change` gives undefined when there is nothing to write. Rejects with FencedError when the term is over.
   */
  async update(id: string, change: (current: Agent | undefined) => Agent | undefined): Promise<void> {
    const { records, term, clock, log } = this.context;
    let pauseMs: number = LIMITS.retryFirstMs;
    while (!term.signal.aborted) {
      const stored = records.collection('Agent').get(id);
      const record = change(stored?.record);
      if (record === undefined) return;
      try {
        const expect = stored?.revision ?? 0;
        await records.write([{ op: 'put', kind: 'Agent', path: id, record, expect }], term.fence);
        return;
      } catch (error) {
        if (error instanceof FencedError) this.onFenced();
        if (!(error instanceof ConflictError || error instanceof UnavailableError)) throw error;
        log.info('an agent record could not be written, trying again', { agentId: id, error: messageOf(error) });
      }
      // After an unknown outcome or a conflict the mirror may be behind; what it cannot tell now it will after the pause.
      await records.sync().catch(() => undefined);
      await sleep(clock, pauseMs, term.signal);
      pauseMs = Math.min(2 * pauseMs, LIMITS.retryLastMs);
    }
    throw new FencedError();
  }
}

/** The record of an agent that registers. Undefined: the present one says it all already. */
export function registered(
  current: Agent | undefined,
  id: string,
  info: AgentInfo,
  made: { readonly nowMs: number; readonly uid: string },
): Agent | undefined {
  const now = timestamp(made.nowMs);
  const { hostname, port, resources, attributes, containerizers, region, zone, version } = info;
  const reported = {
    hostname,
    port,
    resources: [...resources],
    attributes: [...attributes],
    containerizers: [...containerizers],
  };
  const domain = { ...(region === undefined ? {} : { region }), ...(zone === undefined ? {} : { zone }) };
  if (current === undefined) {
    return {
      kind: 'Agent',
      metadata: { name: id, uid: made.uid, generation: 1, creationTimestamp: now },
      spec: { ...reported, ...domain },
      status: { state: 'active', version, registeredAt: now },
    };
  }
  if (current.status.state === 'gone') return undefined;
  const spec: Agent['spec'] = { ...current.spec, ...reported, ...domain };
  if (region === undefined) delete spec.region;
  if (zone === undefined) delete spec.zone;
  const isSameSpec = JSON.stringify(spec) === JSON.stringify(current.spec);
  const state = current.status.state === 'draining' ? 'draining' : 'active';
  if (isSameSpec && current.status.state === state && current.status.version === version) return undefined;
  const status: Agent['status'] = { ...current.status, state, version, reregisteredAt: now };
  delete status.unreachableSince;
  const generation = current.metadata.generation + (isSameSpec ? 0 : 1);
  return { ...current, metadata: { ...current.metadata, generation }, spec, status };
}

/** The record of an agent that has gone silent. Undefined: nothing to write. */
export function unreachable(current: Agent | undefined, nowMs: number): Agent | undefined {
  if (current === undefined || current.status.state === 'unreachable' || current.status.state === 'gone')
    return undefined;
  return { ...current, status: { ...current.status, state: 'unreachable', unreachableSince: timestamp(nowMs) } };
}

/** An agent whose record is lost: only tasks on record tell that there was one. */
export function unknownAgent(id: string): AgentInfo {
  const nothing = { resources: [], attributes: [], containerizers: [] };
  return { id, hostname: id, port: 0, ...nothing, version: '', runId: '' };
}

/** What a record tells of an agent that is not there yet. */
export function infoOf(record: Agent): AgentInfo {
  const { hostname, port, resources, attributes, containerizers, region, zone } = record.spec;
  return {
    id: record.metadata.name,
    hostname,
    port,
    resources,
    attributes,
    containerizers,
    ...(region === undefined ? {} : { region }),
    ...(zone === undefined ? {} : { zone }),
    version: record.status.version ?? '',
    runId: '',
  };
}
