import type { AgentState } from './agents';
import type { MasterVerdict } from './task-updates';

/** What the master knows of an agent when it is asked about a task it does not know. `any`: the agent was not named. */
export type AgentKnowledge = AgentState | 'unknown' | 'any-recovered' | 'any';

/**
 * The answer to an explicit RECONCILE of a task that is on no record, in Mesos' order; undefined: no answer yet, because an
 * agent that may have it is not back. (A known task is answered with its latest status.)
 */
export function verdictOnUnknownTask(agent: AgentKnowledge): MasterVerdict | undefined {
  switch (agent) {
    case 'recovered':
    case 'registering':
    case 'any-recovered':
      return undefined;
    case 'connected':
    case 'disconnected':
      return answer('TASK_GONE', 'Task is unknown to the agent');
    case 'unreachable':
      return answer('TASK_UNREACHABLE', 'Task is unreachable');
    case 'gone':
      return answer('TASK_GONE_BY_OPERATOR', 'Task is gone');
    case 'unknown':
    case 'any':
      return answer('TASK_UNKNOWN', 'Task is unknown');
  }
}

/** The latest state of a task on record, as an answer to a RECONCILE. */
export const LATEST_STATE = { reason: 'REASON_RECONCILIATION', message: 'Reconciliation: Latest task state' } as const;

function answer(state: MasterVerdict['state'], text: string): MasterVerdict {
  return { state, reason: 'REASON_RECONCILIATION', message: `Reconciliation: ${text}` };
}
