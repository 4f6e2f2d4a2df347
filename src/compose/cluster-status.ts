import type { LeaderInfo } from '../core/ports/election';
import type { Records } from '../core/ports/records';
import { countsOf, instancesOf } from '../core/lifecycle/views';
import { appIdOf } from '../core/records/paths';
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
  readonly etcd: { readonly healthy: boolean; readonly endpoints: readonly string[]; readonly message: string };
  /** Who may call: anybody on this machine, who shows the token, or anybody at all. */
  readonly auth: 'none-loopback' | 'token' | 'insecure';
  readonly agents: readonly AgentLine[];
  readonly apps: readonly AppLine[];
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

export function clusterStatus(
  records: Records,
  about: {
    readonly version: string;
    readonly cluster: string;
    readonly leader: LeaderInfo | undefined;
    readonly etcdEndpoints: readonly string[];
    readonly auth: ClusterStatus['auth'];
  },
): ClusterStatus {
  const { version, cluster, leader, etcdEndpoints, auth } = about;
  const healthy = records.isFresh();
  return {
    version,
    cluster,
    leader:
      leader === undefined
        ? null
        : { hostname: leader.hostname, marathonAddress: leader.marathonAddress, mesosAddress: leader.mesosAddress },
    etcd: {
      healthy,
      endpoints: etcdEndpoints,
      message: healthy ? 'answers' : 'does not answer; what is shown may be stale',
    },
    auth,
    agents: agentLines(records),
    apps: appLines(records),
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
