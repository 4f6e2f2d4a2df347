import type { TaskInfo } from '../core/records/mesos';

export interface EnvironmentFacts {
  readonly hostname: string;
  /** The node's address, if known. */
  readonly ip?: string;
  /** Port of the agent's HTTP server. */
  readonly port: number;
  readonly agentId: string;
  readonly frameworkId: string;
  readonly taskId: string;
  readonly sandbox: string;
}

/**
 * What Mesos and its docker executor put into a task's environment, beside what the framework gives (which wins). The driver adds
 * MESOS_SANDBOX and MESOS_CONTAINER_NAME, which it alone knows.
 */
export function taskEnvironment(facts: EnvironmentFacts, info: TaskInfo): Record<string, string> {
  const role = info.resources.map((resource) => resource.allocation_info?.role).find((name) => name !== undefined);
  return {
    HOST: facts.hostname,
    LIBPROCESS_IP: facts.ip ?? '0.0.0.0',
    LIBPROCESS_PORT: '0',
    MESOS_TASK_ID: facts.taskId,
    MESOS_FRAMEWORK_ID: facts.frameworkId,
    MESOS_SLAVE_ID: facts.agentId,
    MESOS_DIRECTORY: facts.sandbox,
    MESOS_AGENT_ENDPOINT: `${facts.ip ?? facts.hostname}:${facts.port}`,
    ...(role === undefined ? {} : { MESOS_ALLOCATION_ROLE: role }),
  };
}
