import { conditionOf, healthOf } from '../../core/lifecycle/views';
import type { Records } from '../../core/ports/records';
import type { HealthResult } from '../../core/records/mesos';
import { appIdOfInstance, appPath, instancePath, parseTaskId } from '../../core/records/paths';
import { KILL_ANNOTATION, type Instance, type Task } from '../../core/records/records';
import type { MarathonEvent } from './events';
import { hostPortsOf, ipAddressesOf } from './task-view';

/** What all events about one run have in common. */
interface Run {
  readonly instanceId: string;
  readonly appId: string;
  readonly version: string;
  readonly host: string;
}

/** Events of a task of ours; tasks of other frameworks are none of Marathon's business. */
export function taskEvents(records: Records, previous: Task | undefined, current: Task | undefined): MarathonEvent[] {
  if (current === undefined) return [];
  const parsed = parseTaskId(current.spec.taskId);
  if (parsed === undefined) return [];
  const instance = records.collection('Instance').get(instancePath(parsed.instanceId))?.record;
  const run: Run = {
    instanceId: parsed.instanceId,
    appId: appIdOfInstance(parsed.instanceId),
    version: instance?.spec.appVersion ?? '',
    host: records.collection('Agent').get(current.spec.agentId)?.record.spec.hostname ?? '',
  };
  return [
    ...statusEvents(run, previous, current),
    ...unhealthyKillEvents(run, previous, current, instance),
    ...conditionEvents(run, previous, current),
    ...healthEvents(records, run, previous, current),
  ];
}

function statusEvents(run: Run, previous: Task | undefined, current: Task): MarathonEvent[] {
  const { state, latest } = current.status;
  if (previous?.status.state === state) return [];
  return [
    {
      eventType: 'status_update_event',
      fields: {
        slaveId: current.spec.agentId,
        taskId: current.spec.taskId,
        taskStatus: state,
        message: latest?.message ?? '',
        appId: run.appId,
        host: run.host,
        ipAddresses: ipAddressesOf(current),
        ports: hostPortsOf(current.spec.info),
        version: run.version,
      },
    },
  ];
}

/** A kill that nobody asked for, of a running task whose check has failed as often as it may. */
function unhealthyKillEvents(
  { appId, instanceId, version, host }: Run,
  previous: Task | undefined,
  current: Task,
  instance: Instance | undefined,
): MarathonEvent[] {
  const { killRequested, state } = current.status;
  const begins = killRequested !== undefined && previous !== undefined && previous.status.killRequested === undefined;
  const failed = begins && state === 'TASK_RUNNING' ? failedCheck(current) : undefined;
  const asked =
    instance?.spec.goal !== 'Running' ||
    instance.metadata.annotations?.[KILL_ANNOTATION] === String(instance.spec.incarnation);
  if (failed === undefined || asked) return [];
  const { taskId, agentId: slaveId } = current.spec;
  const reason = failed.lastFailureCause ?? `${failed.consecutiveFailures} health checks failed`;
  return [
    {
      eventType: 'unhealthy_instance_kill_event',
      fields: { appId, taskId, instanceId, version, reason, host, slaveId },
    },
  ];
}

function failedCheck(task: Task): HealthResult | undefined {
  const results = task.status.latest?.health ?? [];
  const failed = (task.spec.info.health_checks ?? []).findIndex((check, i) => {
    const max = Number(check['max_consecutive_failures'] ?? 0);
    const result = results[i] ?? undefined;
    return max > 0 && result !== undefined && !result.alive && result.consecutiveFailures >= max;
  });
  return results[failed] ?? undefined;
}

function conditionEvents(run: Run, previous: Task | undefined, current: Task): MarathonEvent[] {
  const condition = conditionOf(current);
  if (previous !== undefined && conditionOf(previous) === condition) return [];
  return [
    {
      eventType: 'instance_changed_event',
      fields: {
        instanceId: run.instanceId,
        condition,
        runSpecId: run.appId,
        agentId: current.spec.agentId,
        host: run.host,
        runSpecVersion: run.version,
      },
    },
  ];
}

const HEALTHY: Readonly<Record<string, boolean | null>> = { healthy: true, unhealthy: false };

function healthEvents(records: Records, run: Run, previous: Task | undefined, current: Task): MarathonEvent[] {
  const checks = records.collection('App').get(appPath(run.appId))?.record.spec.healthChecks ?? [];
  const results = current.status.latest?.health ?? [];
  const before = previous?.status.latest?.health ?? [];
  const ofChecks = results.flatMap((result, i) => checkEvents(run, current, checks[i], before[i] ?? null, result));
  const health = healthOf(current);
  const healthBefore = previous === undefined ? 'none' : healthOf(previous);
  if (health === healthBefore || (HEALTHY[health] ?? null) === (HEALTHY[healthBefore] ?? null)) return ofChecks;
  const changed: MarathonEvent = {
    eventType: 'instance_health_changed_event',
    fields: {
      instanceId: run.instanceId,
      runSpecId: run.appId,
      healthy: HEALTHY[health] ?? null,
      runSpecVersion: run.version,
    },
  };
  return [...ofChecks, changed];
}

function checkEvents(
  run: Run,
  task: Task,
  healthCheck: unknown,
  before: HealthResult | null,
  now: HealthResult | null,
): MarathonEvent[] {
  if (now === null) return [];
  const { appId, instanceId, version } = run;
  const events: MarathonEvent[] = [];
  // Marathon puts the instance id into the field named taskId.
  if (now.consecutiveFailures > (before?.consecutiveFailures ?? 0))
    events.push({ eventType: 'failed_health_check_event', fields: { appId, taskId: instanceId, healthCheck } });
  if (now.alive !== before?.alive)
    events.push({
      eventType: 'health_status_changed_event',
      // taskId: clients of Marathon up to 1.3 read it.
      fields: { appId, instanceId, taskId: task.spec.taskId, version, alive: now.alive },
    });
  return events;
}
