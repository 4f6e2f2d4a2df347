import { decideTerminal } from './task-failure';
import type { InstanceView } from '../core/lifecycle/views';
import type { RecordWrite, Stored } from '../core/ports/records';
import { timestamp } from '../core/records/metadata';
import { appIdOfInstance, instanceId, instancePath, namespacedName } from '../core/records/paths';
import type { Instance } from '../core/records/records';
import type { TaskStatus } from '../core/records/mesos';

/** A new instance, waiting for its first run. */
export function newInstance(appId: string, version: string, uuid: string, nowMs: number): RecordWrite {
  const id = instanceId(appId, uuid);
  return createInstance(id, version, 1, nowMs);
}

/** The record of an instance that runs although its record was lost: nothing is killed because the store was. */
export function adoptedInstance(id: string, version: string, incarnation: number, nowMs: number): RecordWrite {
  return createInstance(id, version, incarnation, nowMs);
}

/** A later run than the record knows of is going on: the record is behind, because the store went back in time. */
export function adoptedRun(
  { path, revision, record }: Stored<Instance>,
  version: string,
  incarnation: number,
): RecordWrite {
  const metadata = { ...record.metadata, generation: record.metadata.generation + 1 };
  const spec = { ...record.spec, appVersion: version, incarnation };
  return { op: 'put', kind: 'Instance', path, record: { ...record, metadata, spec }, expect: revision };
}

function createInstance(id: string, version: string, incarnation: number, nowMs: number): RecordWrite {
  const appId = appIdOfInstance(id);
  const now = timestamp(nowMs);
  const record: Instance = {
    kind: 'Instance',
    metadata: {
      name: id,
      namespace: namespacedName(appId).namespace,
      uid: id.slice(id.lastIndexOf('.instance-') + '.instance-'.length),
      generation: 1,
      creationTimestamp: now,
    },
    spec: { appId, appVersion: version, goal: 'Running', incarnation },
    status: { scheduledAt: now },
  };
  return { op: 'put', kind: 'Instance', path: instancePath(id), record, expect: 0 };
}

/** The next run of an instance whose last one has ended. */
export function nextRun(view: InstanceView, status: TaskStatus | undefined, nowMs: number): RecordWrite {
  const { record } = view.instance;
  const failure = status === undefined ? undefined : decideTerminal(status).text;
  const scheduledAt = timestamp(nowMs);
  return changed(view, {
    ...record,
    spec: { ...record.spec, incarnation: record.spec.incarnation + 1 },
    status: { scheduledAt, ...(failure === undefined ? {} : { lastFailure: failure }) },
  });
}

export function decommissioned(view: InstanceView, reason: string): RecordWrite {
  const { record } = view.instance;
  return changed(view, { ...record, spec: { ...record.spec, goal: 'Decommissioned', reason } });
}

/** Notes that a replacement is started for a silent instance; which silence it was is told by when that began. */
export function replaced(view: InstanceView, nowMs: number): RecordWrite {
  const { record } = view.instance;
  const noted = {
    replacedAt: timestamp(nowMs),
    replacedSilenceMs: view.task?.record.status.unreachableSinceMs ?? 0,
  };
  const status = { scheduledAt: record.metadata.creationTimestamp, ...record.status, ...noted };
  return changed(view, { ...record, status });
}

function changed(view: InstanceView, record: Instance): RecordWrite {
  const generation = record.metadata.generation + 1;
  return {
    op: 'put',
    kind: 'Instance',
    path: view.instance.path,
    record: { ...record, metadata: { ...record.metadata, generation } },
    expect: view.instance.revision,
  };
}

export function forgotten(view: InstanceView): RecordWrite {
  return { op: 'delete', kind: 'Instance', path: view.instance.path, expect: view.instance.revision };
}
