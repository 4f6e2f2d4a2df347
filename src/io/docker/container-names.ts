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

interface Labelled {
  readonly Id: string;
  readonly Names: readonly string[];
  readonly Labels: Readonly<Record<string, string>>;
  /** Seconds since the epoch. */
  readonly Created: number;
}

/**
 * The task's own container among those with its labels. Others are copies: update tools and people make them from our options. Only one
 * can have the name; if none has it (somebody renamed it) the oldest is the original.
 */
export function originalOf<T extends Labelled>(sameTask: readonly T[]): T | undefined {
  const isNamed = ({ Names, Labels }: T) =>
    Names.includes(`/${containerName(Labels[LABELS.agent] ?? '', Labels[LABELS.task] ?? '')}`);
  return sameTask.find(isNamed) ?? [...sameTask].sort((a, b) => a.Created - b.Created)[0];
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}
