import { CompactedError } from '../../../src/core/errors';
import type { Change, ChangeBatch, Entry, Store } from '../../../src/core/ports/store';
import { KEY_ROOT } from '../../../src/core/records/paths';
import { EtcdConnection } from '../../../src/io/etcd/connection';
import { EtcdStore } from '../../../src/io/etcd/store';
import { MirrorState } from '../../../src/io/mirror/state';
import { SystemRandom } from '../../../src/io/system/chance';
import { SystemClock } from '../../../src/io/system/clock';
import { noopMetrics } from '../../support/fakes';
import { waitFor } from '../../support/wait';
import type { Recording } from './observation';

const RETRY_MS = 200;

/** Watches every member of etcd on its own and records each revision when the first of them tells it: a member may be dead or slow. */
export class StoreObserver {
  /** What the store holds now. */
  readonly state = new MirrorState();
  onChanges: (changes: readonly Change[]) => void = () => undefined;
  private readonly end = new AbortController();
  private readonly connections: EtcdConnection[] = [];
  private readonly loops: Promise<void>[] = [];
  private readonly known = new Set<string>();
  private revision = 0;

  constructor(private readonly recording: Recording) {}

  async start(endpoints: readonly string[]): Promise<void> {
    for (const endpoint of endpoints) {
      const connection = new EtcdConnection({ endpoints: [endpoint] }, new SystemRandom());
      this.connections.push(connection);
      this.loops.push(this.follow(new EtcdStore(connection, new SystemClock(), noopMetrics())));
    }
    await waitFor('the first list of the store', () => this.revision > 0);
  }

  async stop(): Promise<void> {
    this.end.abort();
    for (const connection of this.connections) connection.close();
    await Promise.all(this.loops);
  }

  private async follow(store: Store): Promise<void> {
    const { signal } = this.end;
    while (!signal.aborted) {
      try {
        if (this.revision === 0) await this.list(store);
        for await (const batch of store.watch(KEY_ROOT, this.revision, signal)) this.take(batch);
      } catch (error) {
        if (signal.aborted) return;
        // Watches of other members may have got further meanwhile.
        if (error instanceof CompactedError) await this.list(store).catch(() => undefined);
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  private take(batch: ChangeBatch): void {
    const changes = batch.changes.filter((change) => revisionOf(change) > this.revision);
    if (batch.revision <= this.revision) return;
    this.revision = batch.revision;
    if (changes.length > 0) this.record(changes, batch.revision);
  }

  private async list(store: Store): Promise<void> {
    const entries: Entry[] = [];
    let revision = 0;
    for await (const page of store.list(KEY_ROOT)) {
      entries.push(...page.entries);
      revision = page.revision;
    }
    if (revision <= this.revision) return;
    const listed = new Set(entries.map(({ key }) => key));
    const gone = [...this.known].filter((key) => !listed.has(key));
    const changes: Change[] = [
      ...gone.map((key) => ({ kind: 'delete' as const, key, revision })),
      ...entries
        .filter((entry) => entry.revision > this.revision)
        .toSorted((a, b) => a.revision - b.revision)
        .map((entry) => ({ kind: 'put' as const, entry })),
    ];
    this.revision = revision;
    this.record(changes, revision);
  }

  private record(changes: readonly Change[], revision: number): void {
    for (const change of changes) {
      if (change.kind === 'put') this.known.add(change.entry.key);
      else this.known.delete(change.key);
    }
    this.recording.add({
      kind: 'commit',
      revision,
      changes: changes.map((change) =>
        change.kind === 'put' ? { key: change.entry.key, value: change.entry.value } : { key: change.key, value: null },
      ),
    });
    this.state.apply({ revision, changes });
    this.onChanges(changes);
  }
}

function revisionOf(change: Change): number {
  return change.kind === 'put' ? change.entry.revision : change.revision;
}
