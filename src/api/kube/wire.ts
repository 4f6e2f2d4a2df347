import { healthOf, conditionOf, tasksById } from '../../core/lifecycle/views';
import { isTerminal } from '../../core/records/mesos';
import { API_VERSION } from '../../core/records/metadata';
import { instancePath, taskIdOf } from '../../core/records/paths';
import { type BerthEvent, type Instance, KINDS, type Kind, type RecordOf, type Task } from '../../core/records/records';
import type { Records, Stored } from '../../core/ports/records';
import { isObject, type JsonObject } from './json';
import type { ObjectName } from './names';
import { BERTH_RESOURCES, type RecordResource } from './resources';

/** An object as kubectl sees it. Shares parts with the record: never change it in place. */
export interface WireObject extends JsonObject {
  apiVersion: string;
  kind: string;
  metadata: JsonObject;
}

export function apiVersionOf(group: string): string {
  return group === '' ? 'v1' : `${group}/v1`;
}

/** The object of a record: its fields, and the names and resourceVersion that are never stored. */
export function wireOf(
  resource: RecordResource,
  stored: Stored<RecordOf[Kind]>,
  name: ObjectName,
  revision: number,
): WireObject {
  const { kind, metadata, ...rest } = stored.record;
  return {
    apiVersion: apiVersionOf(resource.group),
    kind,
    metadata: { ...withoutEmpty(metadata), ...name, resourceVersion: String(revision) },
    ...rest,
  };
}

/** Labels, annotations and the like that are stored empty are as good as absent, and shown so. */
function withoutEmpty(metadata: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(metadata).filter(
      ([, value]) => typeof value !== 'object' || value === null || Object.keys(value).length > 0,
    ),
  );
}

/** The task of an instance's current run. */
export function taskOf(records: Records, instance: Instance): Stored<Task> | undefined {
  return tasksById(records).get(taskIdOf(instance.metadata.name, instance.spec.incarnation))[0];
}

/** Adds to an instance what is derived: its condition, and where its task runs. */
export function withTask(object: WireObject, instance: Instance, records: Records): WireObject {
  const task = taskOf(records, instance)?.record;
  const agent = task === undefined ? undefined : records.collection('Agent').get(task.spec.agentId)?.record;
  const health = task === undefined || isTerminal(task.status.state) ? 'none' : healthOf(task);
  const ports = task?.spec.info.resources
    .filter((resource) => resource.name === 'ports')
    .flatMap((resource) => resource.ranges?.range ?? [])
    .flatMap(({ begin, end }) => Array.from({ length: Math.min(end - begin + 1, PORTS_SHOWN) }, (_, i) => begin + i));
  return {
    ...object,
    status: {
      ...instance.status,
      condition: conditionOf(task),
      ...(task === undefined
        ? {}
        : {
            taskId: task.spec.taskId,
            agentId: task.spec.agentId,
            ...(agent === undefined ? {} : { host: agent.spec.hostname }),
            ...(ports === undefined || ports.length === 0 ? {} : { hostPorts: ports }),
            ...(health === 'none' ? {} : { health }),
            ...(task.status.latest?.phase === undefined ? {} : { phase: task.status.latest.phase }),
            ...(task.status.latest?.message === undefined ? {} : { message: task.status.latest.message }),
          }),
    },
  };
}

/** Ports of one range that are shown; a task has a handful. */
const PORTS_SHOWN = 100;

/** An event in the form of the core group, which `describe` and `kubectl get events` read. */
export function coreEvent(object: WireObject, event: BerthEvent, records: Records): WireObject {
  const { involvedObject, source } = event;
  const uid = involvedObject.uid ?? uidOf(records, involvedObject.kind, involvedObject);
  return {
    ...object,
    involvedObject: { apiVersion: API_VERSION, ...involvedObject, ...(uid === undefined ? {} : { uid }) },
    source: { component: source },
    reportingComponent: source,
    reportingInstance: '',
  };
}

/** The uid of a living object: events need not repeat it, but `describe` asks for it. */
function uidOf(records: Records, kind: string, name: { namespace?: string | undefined; name: string }) {
  const resource = BERTH_RESOURCES.find((candidate) => candidate.kind === kind);
  if (resource === undefined) return undefined;
  const { namespace } = name;
  const objectName = { name: name.name, ...(namespace === undefined ? {} : { namespace }) };
  return findStored(records, resource, objectName)?.record.metadata.uid;
}

/** The record of an object's name. */
export function findStored(
  records: Records,
  resource: RecordResource,
  name: ObjectName,
): Stored<RecordOf[Kind]> | undefined {
  if (resource.record === 'Task') return tasksById(records).get(name.name)[0];
  const path = resource.record === 'Instance' ? pathOfInstance(name.name) : resource.pathOf(name);
  if (path === undefined) return undefined;
  const stored = records.collection(resource.record).get(path);
  if (stored === undefined || !resource.namespaced) return stored;
  return resource.nameOf(path).namespace === name.namespace ? stored : undefined;
}

function pathOfInstance(name: string): string | undefined {
  return name.includes('.instance-') ? instancePath(name) : undefined;
}

/** The core form of an event back into the record's. Absent parts get the defaults that Kubernetes clients rely on. */
export function eventFields(object: JsonObject, now: string): JsonObject {
  const { source, reportingComponent, eventTime } = object;
  const component = isObject(source) ? source['component'] : source;
  const time = typeof eventTime === 'string' ? eventTime : now;
  return {
    involvedObject: object['involvedObject'],
    type: object['type'] ?? 'Normal',
    reason: object['reason'] ?? '',
    message: object['message'] ?? '',
    count: object['count'] ?? 1,
    firstTimestamp: object['firstTimestamp'] ?? time,
    lastTimestamp: object['lastTimestamp'] ?? time,
    source: component ?? reportingComponent ?? 'kubectl',
  };
}

/** Which parts of a kind's object exist beside apiVersion, kind and metadata. */
export function partsOf(kind: Kind): readonly string[] {
  return Object.keys(KINDS[kind].schema.shape).filter((key) => key !== 'kind' && key !== 'metadata');
}
