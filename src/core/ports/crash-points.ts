/**
 * Moments at which a process can be told to die, so that tests see what its successor makes of what it left. Every one lies
 * between two effects that cannot be one: something is done, and nobody who should know of it does yet. A word of each
 * says what has happened and what has not.
 */
export const CRASH_POINTS = {
  'agent.id-given': 'The master has given the agent its id; the id is not written down.',
  'agent.task-written': 'A task is written down; the engine has not been asked for anything.',
  'agent.task-created': 'The container of a task is created; it is not started.',
  'agent.task-started': 'The container of a task runs; that it does is not written down.',
  'agent.running-written': 'That a task runs is written down; nobody has been told.',
  'agent.kill-written': 'The wish to kill a running task is written down; the engine has not been asked to stop it.',
  'agent.task-ended': 'A container has ended; that it has is not written down.',
  'agent.container-removed': 'The container of a killed task is removed; the end of the task is not written down.',
  'agent.end-written': 'The end of a task is written down; nobody has been told.',
  'agent.update-acknowledged': 'The master has acknowledged an update; the agent has not written that down.',
  'agent.task-recovering': 'A restarted agent has found its containers; the task at hand is not taken over.',
  'master.term-begun': 'A leader has read the records of its new term; it has done nothing with them.',
  'master.agent-written':
    'The record of a registering agent is written; the agent has not been told, its tasks are not compared.',
  'master.offer-accepted': 'An offer is accepted and its resources are booked; no task is written.',
  'master.task-written': 'Tasks are written; the agent has not been told to launch them.',
  'master.task-sent': 'The agent has been told to launch tasks; the framework does not know that its ACCEPT was taken.',
  'master.update-written':
    'An update of an agent is written; neither has the framework heard it nor the agent an acknowledgement.',
  'master.task-removed': 'The record of an ended task is removed; the agent has no acknowledgement.',
  'master.kill-written': 'The wish to kill a task is written; the agent has not been told.',
  'master.agent-lost': 'An agent is unreachable on record; its tasks are not.',
  'orchestrator.change-written': 'A change of apps is written; whoever asked for it has no answer.',
  'orchestrator.subscribed': 'The orchestrator of a new term is subscribed; it has not made its first pass.',
  'orchestrator.instances-written':
    'The instances that a pass wants are written; no offer is asked for, nothing is killed.',
  'orchestrator.offer-matched': 'Instances are placed on an offer; it is not accepted.',
  'orchestrator.end-recorded':
    'The instance shows that its run has ended; the update that said so is not acknowledged.',
  'orchestrator.step-done': 'A rollout has come to its next step or to its end; its record does not say so.',
  'orchestrator.rollout-done': 'A rollout has ended on record; the record is not cleared away.',
  'orchestrator.hand-over':
    'A leader that was told to stop starts nothing new; passes under way have not ended, its lease is not revoked.',
} as const;

export type CrashPoint = keyof typeof CRASH_POINTS;

/** Told of every moment that has a name. Nothing happens then, except in a process that was told to die there. */
export interface CrashPoints {
  reach(point: CrashPoint): void;
}

/** The life of almost every process. */
export const NO_CRASH_POINTS: CrashPoints = { reach: () => undefined };
