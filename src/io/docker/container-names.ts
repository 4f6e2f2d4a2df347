import { createHash } from 'node:crypto';

/** Labels on every container of ours. `berth.workdir` tells agents apart that share one engine. */
export const LABELS = {
  cluster: 'berth.cluster',
  agent: 'berth.agent',
  framework: 'berth.framework',
  task: 'berth.task',
  workDir: 'berth.workdir',
  /** The TaskInfo as JSON: an agent that lost its checkpoint can still go on with the task. */
  info: 'berth.info',
  /** Marathon puts this one on its containers; tools look for it. */
  mesosTask: 'MESOS_TASK_ID',
} as const;

const SAFE = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,180}$/;

/**
 * The one name a task's container can have (Mesos: `mesos-<agent id>.<container id>`; tools know ours by the prefix `mesos-`). The
 * same task always gets the same name, so a repeated create finds what the first one made. Ids that Docker would refuse are hashed.
 */
export function containerName(agentId: string, taskId: string): string {
  const agent = SAFE.test(agentId) ? agentId : hash(agentId);
  const task = SAFE.test(taskId) ? taskId : hash(taskId);
  return `mesos-${agent}.${task}`;
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}
