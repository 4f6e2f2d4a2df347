import type { Term } from '../../src/core/ports/election';
import type { Logger } from '../../src/core/ports/logger';
import type { Records } from '../../src/core/ports/records';
import { StoredEventRecorder } from '../../src/core/records/event-recorder';
import { Master } from '../../src/master/master';
import { Orchestrator } from '../../src/orchestrator/orchestrator';
import { noopMetrics } from '../support/fakes';
import type { Seeds } from './dice';
import type { MasterDoor } from './link';
import type { SimProcess } from './process';

export interface RoleDeps {
  readonly records: Records;
  /** The same for the orchestrator, with an eye on its writes. */
  readonly watched: Records;
  readonly term: Term;
  readonly process: SimProcess;
  readonly seeds: Seeds;
  readonly log: Logger;
  /** The store went back in time; see MasterOptions. */
  readonly awaitAgents: boolean;
  readonly onSettled: () => void;
}

/** Milliseconds after which agents that a new leader does not hear from count as lost. */
export const REREGISTER_MS = 20_000;

export interface Roles {
  readonly connect: MasterDoor['connect'];
  run(): Promise<void>;
}

/** Master and orchestrator of one term, wired as the composition root wires them (compose/server). */
export function rolesOf({
  records,
  watched,
  term,
  process: clock,
  seeds,
  log,
  awaitAgents,
  onSettled,
}: RoleDeps): Roles {
  const metrics = noopMetrics();
  const shared = { fence: term.fence, signal: term.signal, clock, log, metrics, crashPoints: clock };
  const ids = seeds.ids();
  const events = new StoredEventRecorder(records, clock, ids, log, 'master');
  const master = new Master(
    { ...shared, records, term, events, ids, random: seeds.random(), onSettled },
    // As by default in proportion, shorter so that a run need not last for hours of fake time.
    { pingIntervalMs: 1_000, maxMissedPings: 5, reregisterTimeoutMs: REREGISTER_MS, awaitAgents },
  );
  const orchestrator = new Orchestrator({
    ...shared,
    records: watched,
    ids: seeds.ids(),
    random: seeds.random(),
    driver: master,
    agentsAreBack: () => master.agentsAreBack(),
  });
  return {
    connect: ({ subscribe }, send, close) => {
      const connection = master.connectAgent(subscribe, { send, close });
      return {
        call: (call) => connection.receive(call),
        closed: (reason) => connection.closed(reason),
      };
    },
    run: async () => {
      try {
        master.start();
        await orchestrator.start();
        await ended(term.signal);
      } finally {
        await orchestrator.stop();
        master.stop();
        events.close();
      }
    },
  };
}

function ended(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
