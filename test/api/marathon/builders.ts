import { timestamp } from '../../../src/core/records/metadata';
import type { TaskStatus } from '../../../src/core/records/mesos';
import { appIdOfInstance, instancePath, taskIdOf, taskPath } from '../../../src/core/records/paths';
import type { Agent, Instance, Rollout, Task } from '../../../src/core/records/records';
import type { RecordWrite } from '../../../src/core/ports/records';

export const START_MS = Date.UTC(2026, 0, 2);

function metadata(name: string) {
  return { name, uid: `uid-${name}`, generation: 1, creationTimestamp: timestamp(START_MS) };
}

export function agent(id: string, hostname: string): RecordWrite {
  const record: Agent = {
    kind: 'Agent',
    metadata: metadata(id),
    spec: { hostname, port: 5051, resources: [], attributes: [], containerizers: ['docker'], region: 'r1', zone: 'z1' },
    status: { state: 'active', registeredAt: timestamp(START_MS) },
  };
  return { op: 'put', kind: 'Agent', path: id, record };
}

export function instance(id: string, appVersion: string, incarnation = 1): RecordWrite {
  const record: Instance = {
    kind: 'Instance',
    metadata: metadata(id),
    spec: { appId: appIdOfInstance(id), appVersion, goal: 'Running', incarnation },
  };
  return { op: 'put', kind: 'Instance', path: instancePath(id), record };
}

export interface TaskOptions {
  readonly state?: Task['status']['state'];
  readonly ports?: readonly number[];
  readonly health?: TaskStatus['health'];
  readonly readiness?: TaskStatus['readiness'];
  readonly checks?: number;
  readonly incarnation?: number;
  readonly message?: string;
  readonly killRequested?: boolean;
}

/** The run of an instance on agent `a1`. */
export function task(instanceId: string, options: TaskOptions = {}): RecordWrite {
  const { state = 'TASK_RUNNING', ports = [31000], incarnation = 1, checks = 0 } = options;
  const taskId = taskIdOf(instanceId, incarnation);
  const latest: TaskStatus = {
    task_id: { value: taskId },
    state,
    container_status: { network_infos: [{ ip_addresses: [{ ip_address: '172.17.0.2', protocol: 'IPv4' }] }] },
    ...(options.health === undefined ? {} : { health: options.health }),
    ...(options.readiness === undefined ? {} : { readiness: options.readiness }),
    ...(options.message === undefined ? {} : { message: options.message }),
  };
  const record: Task = {
    kind: 'Task',
    metadata: metadata(taskId),
    spec: {
      taskId,
      agentId: 'a1',
      frameworkId: 'framework-1',
      role: '*',
      info: {
        name: 'web',
        task_id: { value: taskId },
        agent_id: { value: 'a1' },
        resources: ports.map((port) => ({
          name: 'ports',
          type: 'RANGES' as const,
          ranges: { range: [{ begin: port, end: port }] },
        })),
        health_checks: Array.from({ length: checks }, () => ({
          type: 'TCP' as const,
          delay_seconds: 0,
          interval_seconds: 1,
          timeout_seconds: 1,
          consecutive_failures: 0,
          max_consecutive_failures: 3,
          grace_period_seconds: 0,
        })),
      },
    },
    status: {
      state,
      latest,
      stagedAtMs: START_MS + 1_000,
      ...(state === 'TASK_STAGING' ? {} : { startedAtMs: START_MS + 2_000 }),
      ...(options.killRequested === true ? { killRequested: { atMs: START_MS } } : {}),
      history: [],
    },
  };
  return { op: 'put', kind: 'Task', path: taskPath('a1', taskId), record };
}

/** The same rollout, further on. */
export function advanced(rollout: Rollout, status: Rollout['status']): RecordWrite {
  return { op: 'put', kind: 'Rollout', path: rollout.metadata.name, record: { ...rollout, status } };
}
