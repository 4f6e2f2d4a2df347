import { hostname } from 'node:os';
import type { BackupOptions, RestoreOptions } from '../cli/options';
import { packageVersion } from '../cli/package-root';
import type { Terminal } from '../cli/terminal';
import { StepFailure } from '../cli/up/failure';
import { BerthError, CompactedError, messageOf } from '../core/errors';
import { LIMITS } from '../core/limits';
import type { LeaderInfo } from '../core/ports/election';
import type { Fence, Store, Write } from '../core/ports/store';
import { KEY_ROOT, RESTORED_KEY } from '../core/records/paths';
import { LEADER_KEY } from '../io/election/lease-election';
import { EtcdConnection } from '../io/etcd/connection';
import { EtcdLeases } from '../io/etcd/leases';
import { EtcdStore } from '../io/etcd/store';
import { BackupFile, type BackupEntry } from '../io/files/backup-file';
import { PromMetrics } from '../io/metrics/prom-metrics';
import { SystemRandom } from '../io/system/chance';
import { SystemClock } from '../io/system/clock';
import { sleep } from '../core/ports/clock';
import { etcdOptions } from './etcd-options';

/** A server that runs without a leader elects one well within this time. */
const ELECTION_MS = 2 * LIMITS.leaderLeaseMs;
/** A restore that dies must not keep the servers out for long; renewed while it works. */
const LEASE_MS = 15_000;

/** The store of a command that ends soon. */
interface Access {
  readonly store: Store;
  readonly leases: EtcdLeases;
  readonly clock: SystemClock;
}

/** `berth backup FILE`: all records at one revision. Throws StepFailure. */
export function runBackup(options: BackupOptions, terminal: Terminal): Promise<void> {
  return withStore('backup', options, async ({ store, clock }) => {
    const pages = store.list(KEY_ROOT)[Symbol.asyncIterator]();
    const first = await pages.next();
    const revision = first.done === true ? 0 : first.value.revision;
    async function* entries(): AsyncIterable<BackupEntry> {
      for (let page = first; page.done !== true; page = await pages.next()) yield* page.value.entries;
    }
    const takenAt = new Date(clock.nowMs()).toISOString();
    const header = {
      kind: 'BerthBackup',
      formatVersion: 1,
      berthVersion: packageVersion(),
      revision,
      takenAt,
    } as const;
    const records = await new BackupFile(options.file).write(header, entries());
    terminal.out(`${records} records at revision ${revision} are in ${options.file}\n`);
  });
}

/** `berth restore FILE`: nothing is written unless the file is whole, no server runs and etcd is empty (or may be emptied). Throws StepFailure. */
export function runRestore(options: RestoreOptions, terminal: Terminal): Promise<void> {
  return withStore('restore', options, async (access) => {
    const file = new BackupFile(options.file);
    const { header, records } = await file.verify();
    terminal.err(`- ${options.file}: ${records} records of ${header.takenAt} (Berth ${header.berthVersion})\n`);
    await refuseForeignKeys(file);
    await refuseRecords(access.store, options.replace);
    await holdingLeadership(access, terminal, async (fence) => {
      const removed = options.replace ? await removeOthers(access.store, fence) : 0;
      if (removed > 0) terminal.err(`- removed ${removed} records that etcd held\n`);
      // First of all: whoever leads next must know, also when this command dies half way.
      const value = `on ${new Date(access.clock.nowMs()).toISOString()}, taken on ${header.takenAt}`;
      await access.store.commit([{ kind: 'put', key: RESTORED_KEY, value }], fence);
      await inCommits(access.store, fence, putsOf(file));
    });
    terminal.out(`${records} records are restored; start the servers, they find the running containers again\n`);
  });
}

async function withStore(step: string, options: BackupOptions, work: (access: Access) => Promise<void>): Promise<void> {
  const clock = new SystemClock();
  const connection = new EtcdConnection(etcdOptions(options), new SystemRandom());
  const store = new EtcdStore(connection, clock, new PromMetrics());
  try {
    await work({ store, clock, leases: new EtcdLeases(connection, clock) });
  } catch (error) {
    if (error instanceof StepFailure) throw error;
    const advice = adviceFor(error, options.etcdEndpoints);
    throw new StepFailure(step, messageOf(error), { cause: error, ...(advice === undefined ? {} : { advice }) });
  } finally {
    connection.close();
  }
}

function adviceFor(error: unknown, endpoints: readonly string[]): string | undefined {
  if (error instanceof CompactedError) return 'etcd was compacted while the records were read: run it again';
  if (error instanceof BerthError) return `look whether etcd answers at ${endpoints.join(', ')} (berth doctor)`;
  return undefined;
}

async function refuseForeignKeys(file: BackupFile): Promise<void> {
  for await (const { key } of file.entries()) {
    if (!key.startsWith(KEY_ROOT))
      throw new StepFailure('restore', `the file holds ${key}, which is no record of Berth`);
  }
}

async function refuseRecords(store: Store, mayReplace: boolean): Promise<void> {
  if (mayReplace) return;
  for await (const { entries } of store.list(KEY_ROOT, { pageSize: 1 })) {
    if (entries.length === 0) return;
    throw new StepFailure('restore', 'etcd holds records already; nothing was changed', {
      advice: 'restore into an empty etcd, or say --replace to remove what is there (make a backup of it first)',
    });
  }
}

/** Takes the leader's place for the time of the work: no server can lead meanwhile, and one that leads is noticed. */
async function holdingLeadership(
  access: Access,
  terminal: Terminal,
  work: (fence: Fence) => Promise<void>,
): Promise<void> {
  const { store, leases, clock } = access;
  await refuseLeader(store);
  terminal.err(`- waiting ${ELECTION_MS / 1000} s whether any server still runs\n`);
  await sleep(clock, ELECTION_MS, new AbortController().signal);
  const lease = await leases.grant(LEASE_MS, LIMITS.storeCallMs);
  const stop = new AbortController();
  const renewing = renew(access, lease.id, stop.signal);
  try {
    const acquired = await leases.acquire(LEADER_KEY, JSON.stringify(restorer()), lease.id, LIMITS.storeCallMs);
    if (!acquired.won) throw liveCluster(acquired.holder?.value);
    await work({ key: LEADER_KEY, createRevision: acquired.createRevision });
  } finally {
    stop.abort();
    await renewing;
    await leases.revoke(lease.id, LIMITS.storeCallMs);
  }
}

async function renew({ leases, clock }: Access, leaseId: string, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await sleep(clock, LEASE_MS / 3, signal);
    // A renewal that fails shows in the next commit: its fence no longer holds.
    if (!signal.aborted) await leases.renew(leaseId, LIMITS.storeCallMs).catch(() => 0);
  }
}

function restorer(): LeaderInfo {
  const none = `${hostname()}:0`;
  return {
    id: 'berth-restore',
    hostname: hostname(),
    marathonAddress: none,
    mesosAddress: none,
    version: packageVersion(),
  };
}

async function refuseLeader(store: Store): Promise<void> {
  const leader = await store.get(LEADER_KEY);
  if (leader !== undefined) throw liveCluster(leader.value);
}

function liveCluster(leader: string | undefined): StepFailure {
  return new StepFailure('restore', `the cluster is alive: ${nameOf(leader)} leads; nothing was changed`, {
    advice: 'stop all servers first; agents and containers may go on',
  });
}

function nameOf(leader: string | undefined): string {
  try {
    return (JSON.parse(leader ?? '') as LeaderInfo).marathonAddress;
  } catch {
    return 'a server';
  }
}

async function removeOthers(store: Store, fence: Fence): Promise<number> {
  async function* deletes(): AsyncIterable<Write> {
    for await (const { entries } of store.list(KEY_ROOT)) {
      for (const { key } of entries) yield { kind: 'delete', key };
    }
  }
  return inCommits(store, fence, deletes());
}

async function* putsOf(file: BackupFile): AsyncIterable<Write> {
  for await (const { key, value } of file.entries()) yield { kind: 'put', key, value };
}

/** Writes in commits that etcd accepts; each of them holds only while we have the leader's place. Resolves with the number of writes. */
async function inCommits(store: Store, fence: Fence, writes: AsyncIterable<Write>): Promise<number> {
  let batch: Write[] = [];
  let bytes = 0;
  let done = 0;
  const flush = async () => {
    if (batch.length > 0) await store.commit(batch, fence);
    done += batch.length;
    batch = [];
    bytes = 0;
  };
  for await (const write of writes) {
    const size = write.key.length + (write.kind === 'put' ? Buffer.byteLength(write.value) : 0);
    if (batch.length >= LIMITS.commitWrites || bytes + size > LIMITS.commitBytes / 2) await flush();
    batch.push(write);
    bytes += size;
  }
  await flush();
  return done;
}
