import type { Resource } from '../../src/core/records/mesos';
import { ResourceBag } from '../../src/core/records/resources';
import { parseTaskId } from '../../src/core/records/paths';
import { type ContainerView, type HostView, portsOf } from './hosts';
import type { History } from './history';
import { short, type Truth } from './truth';
import type { RuleClock } from './time';

/** The rules that can be checked where containers run, at the instant something happens to one. */
export class HostRules {
  readonly hosts: HostView[] = [];
  private readonly runs = new Map<string, number>();
  /** When an instance's container last failed its health checks. */
  private readonly removed = new Set<string>();
  private readonly unhealthy = new Set<string>();

  constructor(
    private readonly truth: Truth,
    private readonly history: History,
    private readonly clock: RuleClock,
  ) {}

  started(host: HostView, container: ContainerView): void {
    this.history.note(`${host.name}: ${short(container.taskId)} runs`);
    const runs = (this.runs.get(container.taskId) ?? 0) + 1;
    this.runs.set(container.taskId, runs);
    if (runs > 1 && !this.mayRunAgain(container))
      this.history.violate('no instance twice', `task ${container.taskId} was started ${runs} times`);
    this.noTwin(host, container);
    if (!this.truth.tasks.has(container.taskId))
      this.history.violate('intent before effect', `${container.taskId} runs but the store never had it`);
    this.withinResources(host);
    this.portsOnce(host);
  }

  stopAsked(host: HostView, container: ContainerView): void {
    if (container.stopping) return;
    this.history.note(`${host.name}: ${short(container.taskId)} is asked to stop`);
    const id = parseTaskId(container.taskId);
    const instance = id === undefined ? undefined : this.truth.instances.get(id.instanceId);
    const task = this.truth.tasks.get(container.taskId);
    const isAsked =
      instance !== undefined &&
      // Ends of instances were judged when the store heard of them (Truth).
      (!instance.present ||
        instance.goal !== 'Running' ||
        instance.killedRuns.has(id?.incarnation ?? 0) ||
        task?.wasUnreachable === true ||
        task?.isUnhealthy === true ||
        task?.isGivenUp === true ||
        this.unhealthy.has(container.taskId));
    if (!isAsked)
      this.history.violate('nothing is killed that nobody asked to kill', `${container.taskId} on ${host.name}`);
  }

  ended(host: HostView, container: ContainerView): void {
    this.history.note(`${host.name}: ${short(container.taskId)} ended, ${container.exit?.message ?? ''}`);
  }

  /** `docker rm -f` by hand. */
  wasRemoved(container: ContainerView): void {
    this.removed.add(container.taskId);
  }

  /** Removed before anybody was told that it ran: nothing of the first start is left for the agent to know. */
  private mayRunAgain({ taskId }: ContainerView): boolean {
    return this.removed.has(taskId) && this.truth.tasks.get(taskId)?.wasRunning !== true;
  }

  /** Its health checks fail from now on: the orchestrator may kill it. */
  becameUnhealthy({ taskId }: ContainerView): void {
    this.unhealthy.add(taskId);
  }

  /** Milliseconds of fake time, for messages. */
  nowMs(): number {
    return this.clock.monotonicMs();
  }

  private noTwin(host: HostView, container: ContainerView): void {
    const id = parseTaskId(container.taskId)?.instanceId;
    if (id === undefined) return;
    for (const other of this.hosts)
      for (const twin of other.running()) {
        if (twin === container || parseTaskId(twin.taskId)?.instanceId !== id || twin.stopping) continue;
        if (this.truth.tasks.get(twin.taskId)?.wasUnreachable === true) continue;
        this.history.violate(
          'no instance twice',
          `${twin.taskId} lives on ${other.name}, ${container.taskId} on ${host.name}`,
        );
      }
  }

  private withinResources(host: HostView): void {
    const used = sum(host.running().map(({ info }) => info.resources));
    for (const name of ['cpus', 'mem', 'disk', 'gpus'])
      if (used.scalar(name) > host.capacity.scalar(name))
        this.history.violate(
          'no agent over its resources',
          `${host.name} has ${host.capacity.scalar(name) / 1000} ${name}, its tasks use ${used.scalar(name) / 1000}`,
        );
  }

  private portsOnce(host: HostView): void {
    const owners = new Map<number, string>();
    for (const { info, taskId } of host.running())
      for (const port of portsOf(info)) {
        const owner = owners.get(port);
        if (owner !== undefined)
          this.history.violate('no port twice', `${host.name}:${port} is of ${owner} and of ${taskId}`);
        owners.set(port, taskId);
      }
  }
}

function sum(resources: readonly (readonly Resource[])[]): ResourceBag {
  return resources.reduce<ResourceBag>((total, some) => total.plus(ResourceBag.of(some)), ResourceBag.empty);
}
