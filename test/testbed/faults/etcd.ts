import { join } from 'node:path';
import { execFileSync } from 'node:child_process';
import type { EtcdMember } from '../etcd-member';
import type { Testbed } from '../testbed';
import type { Heal } from './fault';

const JUNK = '/bed-junk/';
/** Of one value, bytes; etcd refuses more than 1.5 MiB. */
const JUNK_BYTES = 900_000;

/** kill -9 of the member that leads; the others elect a new one after about a second. */
export async function killEtcdLeader(bed: Testbed): Promise<Heal> {
  const leader = await bed.etcdLeader();
  await leader.process.kill();
  return () => startAll([leader]);
}

/** All but a minority of the members are killed: no writes, no linearizable reads, no leases. */
export async function noQuorum(bed: Testbed): Promise<Heal> {
  const lost = bed.etcd.slice(0, Math.floor(bed.etcd.length / 2) + 1);
  await Promise.all(lost.map(({ process }) => process.kill()));
  return () => startAll(lost);
}

/** Every member is killed at once. */
export async function etcdDown(bed: Testbed): Promise<Heal> {
  await Promise.all(bed.etcd.map(({ process }) => process.kill()));
  return () => startAll(bed.etcd);
}

/** Saves everything etcd holds now; for `restoreSnapshot`. */
export async function saveSnapshot(bed: Testbed): Promise<string> {
  const file = join(bed.dir, `snapshot-${process.hrtime.bigint()}.db`);
  await (await bed.etcdLeader()).ctl('snapshot', 'save', file);
  return file;
}

/** etcd goes back in time: all members are stopped and started on the data of a snapshot, as an operator would do it. */
export async function restoreSnapshot(bed: Testbed, file: string): Promise<void> {
  await etcdDown(bed);
  for (const member of bed.etcd) await member.restore(file);
  await startAll(bed.etcd);
}

/** etcd is empty: all members are stopped, lose their data and start as a new cluster. */
export async function emptyEtcd(bed: Testbed): Promise<void> {
  await etcdDown(bed);
  for (const member of bed.etcd) member.wipe();
  await startAll(bed.etcd);
}

/**
 * Writes until etcd says NOSPACE. Wants a bed with a small quota (`etcdArgs: ['--quota-backend-bytes', '16777216']`). Heals as the manual
 * says: delete, compact, defragment, disarm.
 */
export async function fillEtcd(bed: Testbed): Promise<Heal> {
  const leader = await bed.etcdLeader();
  const value = 'x'.repeat(JUNK_BYTES);
  for (let index = 0; index < 200 && !(await alarm(leader)); index++) put(leader, `${JUNK}${index}`, value);
  if (!(await alarm(leader))) throw new Error('etcd did not fill up: start the bed with a small --quota-backend-bytes');
  return async () => {
    // Junk keys are few: one delete of the prefix does not slow etcd down.
    await leader.ctl('del', '--prefix', JUNK);
    const { revision } = await leader.status();
    await leader.ctl('compact', String(revision));
    for (const member of bed.etcd) await member.ctl('defrag');
    await leader.ctl('alarm', 'disarm');
  };
}

/** Forgets all history up to a revision, by default up to now: watches that are behind are cancelled. */
export async function compact(bed: Testbed, upTo?: number): Promise<void> {
  const leader = await bed.etcdLeader();
  const revision = upTo ?? (await leader.status()).revision;
  await leader.ctl('compact', String(revision)).catch((error: unknown) => {
    // Berth's own compactor was faster.
    if (!String(error).includes('compacted')) throw error;
  });
}

/** Revokes the lease that a key hangs on, as an operator with etcdctl could. */
export async function revokeLeaseOf(bed: Testbed, key: string): Promise<void> {
  const leader = await bed.etcdLeader();
  const { kvs } = JSON.parse(await leader.ctl('get', key, '-w', 'json')) as { kvs?: { lease?: number }[] };
  // JSON numbers lose digits of a lease id: the text has all of them.
  const text = await leader.ctl('get', key, '-w', 'fields');
  const lease = /"Lease" : (\d+)/.exec(text)?.[1];
  if (kvs === undefined || lease === undefined || lease === '0') throw new Error(`${key} has no lease`);
  await leader.ctl('lease', 'revoke', BigInt(lease).toString(16));
}

export async function startAll(members: readonly EtcdMember[]): Promise<void> {
  for (const member of members) member.start();
  await Promise.all(members.map((member) => member.ready()));
}

async function alarm(member: EtcdMember): Promise<boolean> {
  return (await member.ctl('alarm', 'list')).includes('NOSPACE');
}

/** The value comes on standard input: it is longer than an argument may be. */
function put(member: EtcdMember, key: string, value: string): void {
  try {
    execFileSync('etcdctl', [`--endpoints=${member.endpoint}`, '--command-timeout=10s', 'put', key], {
      input: value,
      timeout: 20_000,
      stdio: ['pipe', 'ignore', 'ignore'],
      env: { ...process.env, ETCDCTL_API: '3' },
    });
  } catch {
    // The last one is refused.
  }
}
