import type { Agent, RecordOf, Role, Task } from '../../../src/core/records/records';

const metadata = (name: string) => ({
  name,
  uid: `uid-${name}`,
  generation: 1,
  creationTimestamp: '2026-01-01T00:00:00.000Z',
});

export function role(name: string, weight = 1): Role {
  return { kind: 'Role', metadata: metadata(name), spec: { name, weight } };
}

export function agent(id: string, hostname = `${id}.example`): Agent {
  return {
    kind: 'Agent',
    metadata: metadata(id),
    spec: { hostname, port: 5051, resources: [], attributes: [], containerizers: [] },
    status: { state: 'active', registeredAt: '2026-01-01T00:00:00.000Z' },
  };
}

export function task(agentId: string, taskId: string, state: Task['status']['state'] = 'TASK_RUNNING'): Task {
  return {
    kind: 'Task',
    metadata: metadata(taskId),
    spec: {
      taskId,
      agentId,
      frameworkId: 'berth',
      role: '*',
      info: {
        name: 'web.prod',
        task_id: { value: taskId },
        agent_id: { value: agentId },
        resources: [
          { name: 'cpus', type: 'SCALAR', scalar: { value: 0.1 }, allocation_info: { role: '*' } },
          { name: 'mem', type: 'SCALAR', scalar: { value: 128 }, allocation_info: { role: '*' } },
          { name: 'ports', type: 'RANGES', ranges: { range: [{ begin: 31000, end: 31001 }] } },
        ],
        command: { shell: true, value: '/app/run --port $PORT0', environment: { variables: [] } },
      } as RecordOf['Task']['spec']['info'],
    },
    status: {
      state,
      stagedAtMs: 1_700_000_000_000,
      startedAtMs: 1_700_000_001_000,
      history: [
        { state: 'TASK_STAGING', timestampMs: 1_700_000_000_000 },
        { state: 'TASK_RUNNING', timestampMs: 1_700_000_001_000 },
      ],
    },
  };
}
