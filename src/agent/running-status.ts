import type { HealthResult, TaskStatus } from '../core/records/mesos';
import type { TaskCheckpoint } from './checkpoint';
import type { Vitals } from './health-monitor';

/** The parts of a status that differ from update to update. */
export type StatusReport = Pick<
  TaskStatus,
  'state' | 'reason' | 'message' | 'healthy' | 'phase' | 'health' | 'readiness' | 'container_status'
>;

/** TASK_RUNNING with everything known: the master keeps only the newest status, so each one is complete. */
export function runningStatus(task: TaskCheckpoint, vitals: Vitals | undefined): StatusReport {
  const address = task.container?.ipAddress;
  const healthy = vitals === undefined ? undefined : healthyOf(vitals);
  return {
    state: 'TASK_RUNNING',
    ...(task.container === undefined
      ? {}
      : {
          container_status: {
            container_id: { value: task.container.id },
            network_infos: address === undefined ? [] : [{ ip_addresses: [{ protocol: 'IPv4', ip_address: address }] }],
          },
        }),
    ...(healthy === undefined ? {} : { healthy }),
    ...(vitals === undefined || vitals.health.length === 0 ? {} : { health: [...vitals.health] }),
    ...(vitals === undefined || vitals.readiness.length === 0 ? {} : { readiness: [...vitals.readiness] }),
  };
}

/** Mesos' one boolean: false as soon as one check fails, true when all have succeeded. */
function healthyOf({ health, own }: Vitals): boolean | undefined {
  const all: (HealthResult | null)[] = own === undefined ? [...health] : [...health, own];
  if (all.some((result) => result?.alive === false)) return false;
  return all.length > 0 && all.every((result) => result?.alive === true) ? true : undefined;
}

/** What the last update said, to go on from after a restart of the agent. */
export function vitalsIn(task: TaskCheckpoint): Vitals | undefined {
  const latest = task.latest;
  if (latest?.state !== 'TASK_RUNNING') return undefined;
  return { health: latest.health ?? [], readiness: latest.readiness ?? [] };
}
