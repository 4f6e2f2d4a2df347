import { taskInfoSchema, type TaskInfo } from '../../src/core/records/mesos';

/** A TaskInfo with only what matters to a test said. */
export function taskInfo(taskId: string, parts: Record<string, unknown> = {}): TaskInfo {
  return taskInfoSchema.parse({
    name: taskId,
    task_id: { value: taskId },
    agent_id: { value: 'S1' },
    resources: [
      { name: 'cpus', type: 'SCALAR', scalar: { value: 0.1 } },
      { name: 'mem', type: 'SCALAR', scalar: { value: 32 } },
      { name: 'ports', type: 'RANGES', ranges: { range: [{ begin: 31000, end: 31999 }] } },
    ],
    container: { type: 'DOCKER', docker: { image: 'berth/bb:1', network: 'BRIDGE' } },
    ...parts,
  });
}

/** A task that runs a shell line in the test image. */
export function shellTask(taskId: string, line: string, parts: Record<string, unknown> = {}): TaskInfo {
  return taskInfo(taskId, { command: { value: line, shell: true }, ...parts });
}

/** Container parts with the test image and BRIDGE unless said otherwise. */
export function docker(parts: Record<string, unknown> = {}, container: Record<string, unknown> = {}): object {
  return { type: 'DOCKER', docker: { image: 'berth/bb:1', network: 'BRIDGE', ...parts }, ...container };
}
