import type { EtcdAccess } from '../../cli/etcd-flags';
import { messageOf } from '../../core/errors';
import { EtcdConnection } from '../../io/etcd/connection';
import { EtcdMaintenance, type EtcdStatus } from '../../io/etcd/maintenance';
import { EtcdStore } from '../../io/etcd/store';
import { PromMetrics } from '../../io/metrics/prom-metrics';
import { SystemRandom } from '../../io/system/chance';
import { SystemClock } from '../../io/system/clock';
import { etcdOptions } from '../etcd-options';
import { fail, isAtLeast, ok, warn, type Finding } from './finding';

const OLDEST = '3.4';
/** 3.4 stays slow after a big delete until it is restarted. */
const RECOMMENDED = '3.5';
/** etcd's own default of --quota-backend-bytes. */
const DEFAULT_QUOTA_BYTES = 2 * 1024 ** 3;
const FULL_SHARE = 0.7;
const CALL_MS = 3_000;
const READS = 5;
const SLOW_READ_MS = 100;
const MIB = 1024 ** 2;

export interface MemberLook {
  readonly endpoint: string;
  /** Absent: it did not answer, and why. */
  readonly status?: EtcdStatus;
  readonly error?: string;
  /** Median of a few linearizable reads, milliseconds. */
  readonly readMs?: number;
}

/** Each member is asked alone: a cluster that still works hides its dead members. */
export async function lookAtEtcd(access: EtcdAccess): Promise<Finding[]> {
  const looks = await Promise.all(access.etcdEndpoints.map((endpoint) => lookAt(endpoint, access)));
  return judgeEtcd(looks);
}

export function judgeEtcd(looks: readonly MemberLook[]): Finding[] {
  const dead = looks.filter(({ status }) => status === undefined);
  const findings = looks.flatMap((look) => judgeMember(look));
  if (looks.length > 1 && dead.length > 0 && dead.length * 2 < looks.length)
    findings.push(
      warn(
        'etcd',
        `${looks.length - dead.length} of ${looks.length} members answer`,
        'bring the others back: the next loss stops all writes',
      ),
    );
  if (looks.length % 2 === 0)
    findings.push(
      warn(
        'etcd',
        `${looks.length} endpoints are given`,
        'use 1, 3 or 5 members: an even number tolerates no more losses than one less',
      ),
    );
  return findings;
}

function judgeMember({ endpoint, status, error, readMs }: MemberLook): Finding[] {
  const check = `etcd ${endpoint}`;
  if (status === undefined)
    return [
      fail(
        check,
        error ?? 'does not answer',
        'start etcd, or say where it is (--etcd-endpoints); check firewall and certificates',
      ),
    ];
  const findings: Finding[] = [];
  if (!isAtLeast(status.version, OLDEST))
    findings.push(
      fail(check, `version ${status.version} is older than ${OLDEST}`, `upgrade to ${RECOMMENDED} or newer`),
    );
  else if (!isAtLeast(status.version, RECOMMENDED))
    findings.push(
      warn(
        check,
        `version ${status.version} stays slow after big deletes`,
        `upgrade to ${RECOMMENDED} or newer; until then restart members after mass deletes`,
      ),
    );
  if (!status.hasLeader) findings.push(fail(check, 'has no leader: no quorum', 'bring a majority of the members back'));
  if (status.alarms.length > 0)
    findings.push(
      fail(
        check,
        `alarm ${status.alarms.join(', ')}: writes are refused`,
        'etcdctl compact REVISION; etcdctl defrag; etcdctl alarm disarm; raise --quota-backend-bytes',
      ),
    );
  if (status.databaseBytes > FULL_SHARE * DEFAULT_QUOTA_BYTES)
    findings.push(
      warn(
        check,
        `the database has ${mib(status.databaseBytes)} (${mib(status.databaseUsedBytes)} in use)`,
        'etcdctl defrag, one member after the other, or raise --quota-backend-bytes',
      ),
    );
  if (readMs !== undefined && readMs > SLOW_READ_MS)
    findings.push(
      warn(check, `a read takes ${Math.round(readMs)} ms`, 'give etcd a fast disk of its own and a near network'),
    );
  if (findings.length === 0)
    findings.push(
      ok(check, `version ${status.version}, ${mib(status.databaseBytes)}, a read takes ${(readMs ?? 0).toFixed(1)} ms`),
    );
  return findings;
}

async function lookAt(endpoint: string, access: EtcdAccess): Promise<MemberLook> {
  const clock = new SystemClock();
  const connection = new EtcdConnection(
    { ...etcdOptions({ ...access, etcdEndpoints: [endpoint] }), callMs: CALL_MS },
    new SystemRandom(),
  );
  try {
    const status = await new EtcdMaintenance(connection).status();
    if (!status.hasLeader) return { endpoint, status };
    const store = new EtcdStore(connection, clock, new PromMetrics());
    const times: number[] = [];
    for (let read = 0; read < READS; read++) {
      const startMs = clock.monotonicMs();
      await store.get('/berth/doctor');
      times.push(clock.monotonicMs() - startMs);
    }
    return { endpoint, status, readMs: times.toSorted((a, b) => a - b)[Math.floor(READS / 2)] ?? 0 };
  } catch (error) {
    return { endpoint, error: messageOf(error) };
  } finally {
    connection.close();
  }
}

function mib(bytes: number): string {
  return `${Math.round(bytes / MIB)} MiB`;
}
