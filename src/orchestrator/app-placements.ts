import { instancesOf, type InstanceView } from '../core/lifecycle/views';
import { agentFacts, fieldValue, type AgentFacts } from '../core/placement/constraints';
import { PlacementIndex } from '../core/placement/placement-index';
import { launchRequest, type LaunchRequest } from '../core/placement/match';
import type { RecordChange, Records, Stored } from '../core/ports/records';
import type { App, AppSpec } from '../core/records/app';
import { isTerminal } from '../core/records/mesos';
import { appIdOfInstance, appPath, instancePath, parseTaskId } from '../core/records/paths';
import type { Task } from '../core/records/records';
import { FRAMEWORK_ID } from './context';

interface Entry {
  /** Of the app version it was made for. */
  readonly version: string;
  readonly request: LaunchRequest;
  readonly index: PlacementIndex;
  /** Marathon: only instances of the newest configuration count for constraints, so that a rolling change finds a place. */
  readonly configVersion: string;
}

/** Definitions of one app that instances may wait for at once: the present one and, before its turn in a rollout, the former. */
const VERSIONS_PER_APP = 2;

/**
 * What each app asks for and where its instances are, kept up to date with every task that comes and goes. Built from the
 * records when first asked for.
 */
export class AppPlacements {
  private readonly entries = new Map<string, readonly Entry[]>();

  constructor(private readonly records: Records) {}

  get(spec: AppSpec): Entry {
    const { id, version, versionInfo } = spec;
    const present = this.entries.get(id) ?? [];
    const known = present.find((entry) => entry.version === version);
    if (known !== undefined) return known;
    const configVersion = versionInfo?.lastConfigChangeAt ?? version;
    const request = launchRequest(spec);
    const entry = { version, request, index: new PlacementIndex(request.constraints), configVersion };
    for (const view of instancesOf(this.records, id)) this.count(entry, view.id, view.task?.record);
    this.entries.set(id, [entry, ...present].slice(0, VERSIONS_PER_APP));
    return entry;
  }

  /**
   * To be called with every change of a Task of ours. True: an instance has left its place, and constraints that stood against
   * another one there may not any more.
   */
  onTaskChange(change: RecordChange<'Task'>): boolean {
    const task = change.current?.record ?? change.previous?.record;
    const parsed = task === undefined ? undefined : parseTaskId(task.spec.taskId);
    if (parsed === undefined) return false;
    const instance = this.records.collection('Instance').get(instancePath(parsed.instanceId));
    if (instance !== undefined && instance.record.spec.incarnation > parsed.incarnation) return false;
    const entries = this.entries.get(appIdOfInstance(parsed.instanceId)) ?? [];
    const left = entries.map((entry) => this.count(entry, parsed.instanceId, change.current?.record));
    return entries.some(({ index }, at) => left[at] === true && index.constraints.length > 0);
  }

  drop(appId: string): void {
    this.entries.delete(appId);
  }

  /** True: the instance was somewhere and is nowhere now. */
  private count({ index, configVersion }: Entry, instanceId: string, task: Task | undefined): boolean {
    const instance = this.records.collection('Instance').get(instancePath(instanceId));
    const counts = (instance?.record.spec.appVersion ?? '') >= configVersion;
    const facts = task === undefined || isTerminal(task.status.state) ? undefined : this.factsOf(task.spec.agentId);
    if (facts === undefined || !counts) return index.remove(instanceId);
    index.place(instanceId, facts);
    return false;
  }

  factsOf(agentId: string): AgentFacts | undefined {
    const agent = this.records.collection('Agent').get(agentId)?.record;
    return agent === undefined ? undefined : agentFacts(agent.spec);
  }
}

/** Value of the app's first GROUP_BY field where an instance runs, for kill selection. */
export function groupOf(placements: AppPlacements, app: App): (view: InstanceView) => string | undefined {
  const field = app.spec.constraints.find(([, operator]) => operator === 'GROUP_BY')?.[0];
  if (field === undefined) return () => undefined;
  const valueByAgent = new Map<string, string | undefined>();
  return ({ task }) => {
    const agentId = task?.record.spec.agentId;
    if (agentId === undefined) return undefined;
    if (!valueByAgent.has(agentId)) valueByAgent.set(agentId, valueAt(placements.factsOf(agentId), field));
    return valueByAgent.get(agentId);
  };
}

function valueAt(facts: AgentFacts | undefined, field: string): string | undefined {
  return facts === undefined ? undefined : fieldValue(facts, field);
}

/** The app record an app id stands for. */
export function appOf(records: Records, appId: string): Stored<App> | undefined {
  return records.collection('App').get(appPath(appId));
}

/** App id of a task of ours, by its id; undefined for tasks of other frameworks. */
export function appIdOfTask(task: Task): string | undefined {
  if (task.spec.frameworkId !== FRAMEWORK_ID) return undefined;
  const parsed = parseTaskId(task.spec.taskId);
  return parsed === undefined ? undefined : appIdOfInstance(parsed.instanceId);
}
