import type { LeaderInfo } from '../core/ports/election';
import type { Records } from '../core/ports/records';
import { LIMITS } from '../core/limits';
import { compareText, countsOf, instancesOf } from '../core/lifecycle/views';
import { isTerminal } from '../core/records/mesos';
import { timestamp } from '../core/records/metadata';
import { appIdOf, appIdOfInstance, appPath, parseTaskId } from '../core/records/paths';
import type { Task } from '../core/records/records';
import { Orchestrator } from '../orchestrator/orchestrator';
import { resourceSummary, type ResourceSummary } from '../core/records/resources';

/** `GET /v1/status`: the whole cluster in one answer, for `berth status` and for people with curl. */
export interface ClusterStatus {
  readonly version: string;
  readonly cluster: string;
  readonly leader: {
    readonly hostname: string;
    readonly marathonAddress: string;
    readonly mesosAddress: string;
  } | null;
  readonly etcd: {
    readonly healthy: boolean;
    readonly endpoints: readonly string[];
    readonly message: string;
    /** Times this server has seen etcd go back (emptied, or restored from a backup), oldest first. */
    readonly wentBack: readonly { readonly at: string; readonly from: number; readonly to: number }[];
  };
  /** Who may call: anybody on this machine, who shows the token, or anybody at all. */
  readonly auth: 'none-loopback' | 'token' | 'insecure';
  readonly agents: readonly AgentLine[];
  readonly apps: readonly AppLine[];
  /** Tasks that run although the record of what wanted them is gone, at most LIMITS.orphansListed. Never killed by us. */
  readonly orphanedTasks: readonly OrphanLine[];
  /** Keys of records that cannot be parsed and were set aside. */
  readonly corruptRecords: readonly { readonly key: string; readonly error: string }[];
}

interface AgentLine {
  readonly id: string;
  readonly hostname: string;
  readonly port: number;
  readonly state: string;
  readonly resources: ResourceSummary;
}

interface AppLine {
  readonly id: string;
  readonly instances: number;
  readonly running: number;
  readonly healthy: number;
  readonly unhealthy: number;
  /** Why it is not complete, in one sentence. */
  readonly message?: string;
}

interface OrphanLine {
  readonly id: string;
  readonly agentId: string;
  readonly hostname: string;
  readonly frameworkId: string;
  /** What is not on record: an app, or a framework. */
  readonly missing: string;
}

export function clusterStatus(
  records: Records,
  about: {
    readonly version: string;
    readonly cluster: string;
    readonly leader: LeaderInfo | undefined;
    readonly etcdEndpoints: readonly string[];
    readonly etcdMessage: string;
    readonly auth: ClusterStatus['auth'];
    readonly rewinds: readonly { readonly atMs: number; readonly from: number; readonly to: number }[];
  },
): ClusterStatus {
  const { version, cluster, leader, etcdEndpoints, etcdMessage, auth, rewinds } = about;
  return {
    version,
    cluster,
    leader:
      leader === undefined
        ? null
        : { hostname: leader.hostname, marathonAddress: leader.marathonAddress, mesosAddress: leader.mesosAddress },
    etcd: {
      healthy: records.isFresh(),
      endpoints: etcdEndpoints,
      message: etcdMessage,
      wentBack: rewinds.map(({ atMs, from, to }) => ({ at: timestamp(atMs), from, to })),
    },
    auth,
    agents: agentLines(records),
    apps: appLines(records),
    orphanedTasks: orphanLines(records),
    corruptRecords: records.corrupt(),
  };
}

function agentLines(records: Records): AgentLine[] {
  return [...records.collection('Agent').list()]
    .map(({ record }) => ({
      id: record.metadata.name,
      hostname: record.spec.hostname,
      port: record.spec.port,
      state: record.status.state,
      resources: resourceSummary(record.spec.resources),
    }))
    .sort((a, b) => a.hostname.localeCompare(b.hostname) || a.id.localeCompare(b.id));
}

function orphanLines(records: Records): OrphanLine[] {
  const orphans: OrphanLine[] = [];
  for (const { record } of records.collection('Task').list()) {
    if (isTerminal(record.status.state)) continue;
    const { taskId: id, agentId, frameworkId } = record.spec;
    const missing = missingFor(records, record);
    if (missing === undefined) continue;
    const hostname = records.collection('Agent').get(agentId)?.record.spec.hostname ?? '';
    orphans.push({ id, agentId, hostname, frameworkId, missing });
    if (orphans.length >= LIMITS.orphansListed) break;
  }
  return orphans.sort((a, b) => compareText(a.id, b.id));
}

function missingFor(records: Records, { spec }: Task): string | undefined {
  const appId = appIdOfTask(spec);
  if (appId === undefined)
    return records.collection('Framework').get(spec.frameworkId) === undefined
      ? `framework ${spec.frameworkId}`
      : undefined;
  return records.collection('App').get(appPath(appId)) === undefined ? `app ${appId}` : undefined;
}

/** Undefined: the task is not of the built-in framework. */
function appIdOfTask({ taskId, frameworkId }: Task['spec']): string | undefined {
  if (frameworkId !== Orchestrator.frameworkId) return undefined;
  const parsed = parseTaskId(taskId);
  return parsed === undefined ? undefined : appIdOfInstance(parsed.instanceId);
}

function appLines(records: Records): AppLine[] {
  return [...records.collection('App').list()]
    .map(({ path, record }) => {
      const counts = countsOf(instancesOf(records, appIdOf(path)));
      const message =
        record.metadata.deletionTimestamp === undefined ? record.status?.launchQueue?.message : 'being deleted';
      return {
        id: record.spec.id,
        instances: record.spec.instances,
        running: counts.tasksRunning,
        healthy: counts.tasksHealthy,
        unhealthy: counts.tasksUnhealthy,
        ...(message === undefined ? {} : { message }),
      };
    })
    .sort((a, b) => a.id.localeCompare(b.id));
}
