import type { TaskInfo } from '../../src/core/records/mesos';
import type { ResourceBag } from '../../src/core/records/resources';

/** A container as the rules see it, in the simulation or on a real engine. */
export interface ContainerView {
  readonly taskId: string;
  readonly info: TaskInfo;
  /** Somebody asked it to stop. */
  readonly stopping: boolean;
  readonly phase: 'created' | 'running' | 'exited';
  readonly exit?: { readonly message: string };
}

/** A machine as the rules see it. */
export interface HostView {
  readonly name: string;
  readonly capacity: ResourceBag;
  readonly containers: ReadonlyMap<string, ContainerView>;
  running(): readonly ContainerView[];
}

/** Host ports a task was given. */
export function portsOf(info: TaskInfo): number[] {
  return info.resources
    .filter((resource) => resource.name === 'ports')
    .flatMap((resource) => resource.ranges?.range ?? [])
    .flatMap(({ begin, end }) => Array.from({ length: end - begin + 1 }, (_, index) => begin + index));
}
