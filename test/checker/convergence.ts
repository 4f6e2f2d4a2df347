import { instancesOf, type InstanceView, type RecordView } from '../../src/core/lifecycle/views';
import type { AppSpec } from '../../src/core/records/app';
import { isTerminal, type TaskInfo } from '../../src/core/records/mesos';
import { parseTaskId } from '../../src/core/records/paths';
import type { ContainerView, HostView } from './hosts';
import { short, type Truth } from './truth';

/** What is not yet as the users want it, in words; empty: converged. Judged by the records and by what really runs. */
export function unfinished(records: RecordView, hosts: readonly HostView[], truth: Truth): string[] {
  return [...unfinishedApps(records, hosts, truth), ...leftovers(records, hosts)];
}

function unfinishedApps(records: RecordView, hosts: readonly HostView[], truth: Truth): string[] {
  const problems: string[] = [];
  const alive = new Map(hosts.flatMap((host) => host.running()).map((container) => [container.taskId, container]));
  for (const { record } of records.collection('App').list()) {
    const { id, instances } = record.spec;
    if (record.metadata.deletionTimestamp !== undefined) {
      problems.push(`${id} is deleted and still there`);
      continue;
    }
    const views = instancesOf(records, id);
    if (views.length !== instances) problems.push(`${id} has ${views.length} instances, wanted are ${instances}`);
    for (const view of views) {
      const container = alive.get(view.task?.record.spec.taskId ?? '');
      const name = `${short(view.id)} of ${id}`;
      if (view.condition !== 'Running') problems.push(`${name} is ${view.condition}`);
      else if (container === undefined) problems.push(`${name} is Running without a container`);
      else if (!truth.appOf(id).isLeftHalfDone) problems.push(...outdated(name, record.spec, view, container));
    }
    const counts = record.status;
    if (counts?.tasksRunning !== instances) problems.push(`status of ${id} says ${counts?.tasksRunning} run`);
  }
  return problems;
}

function outdated(name: string, spec: AppSpec, view: InstanceView, { info }: ContainerView): string[] {
  const { appVersion } = view.instance.record.spec;
  const problems: string[] = [];
  if (opOf(info) !== spec.env['OP'])
    problems.push(`${name} runs op ${opOf(info) ?? '-'} of ${appVersion}, not that of ${spec.version}`);
  if (appVersion < (spec.versionInfo?.lastConfigChangeAt ?? '')) problems.push(`${name} is of ${appVersion}, outdated`);
  return problems;
}

function leftovers(records: RecordView, hosts: readonly HostView[]): string[] {
  const problems = [...records.collection('Rollout').list()].map(
    ({ path, record }) => `rollout ${path} is ${record.status.state}: ${record.status.reason ?? ''}`,
  );
  const wanted = new Set<string>();
  for (const { record } of records.collection('Task').list()) {
    const { taskId } = record.spec;
    wanted.add(taskId);
    if (isTerminal(record.status.state)) problems.push(`record of ended task ${short(taskId)} is left`);
    const id = parseTaskId(taskId);
    const owner = [...records.collection('Instance').list()].find(
      ({ record: one }) => one.metadata.name === id?.instanceId,
    );
    if (owner?.record.spec.incarnation !== id?.incarnation) problems.push(`task ${short(taskId)} is of no instance`);
  }
  for (const { record } of records.collection('Instance').list())
    if (records.collection('App').get(record.spec.appId.slice(1)) === undefined)
      problems.push(`instance ${short(record.metadata.name)} is of no app`);
  for (const host of hosts)
    for (const container of host.containers.values()) {
      if (!wanted.has(container.taskId) && container.phase !== 'exited')
        problems.push(`${host.name} has an orphan container ${short(container.taskId)} (${container.phase})`);
    }
  for (const { record } of records.collection('Agent').list())
    if (record.status.state !== 'active') problems.push(`agent ${record.spec.hostname} is ${record.status.state}`);
  return problems;
}

/** The user's change that a container was started for. */
function opOf(info: TaskInfo): string | undefined {
  return info.command?.environment?.variables.find(({ name }) => name === 'OP')?.value;
}
