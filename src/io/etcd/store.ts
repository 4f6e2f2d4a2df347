import { KVClient, type IKeyValue, type IRangeRequest, type IRangeResponse } from 'etcd3';
import { LIMITS } from '../../core/limits';
import type { Clock } from '../../core/ports/clock';
import type { Metrics } from '../../core/ports/metrics';
import type { ChangeBatch, Entry, Fence, ListPage, Store, Write } from '../../core/ports/store';
import { checkCommit } from '../memory/commit-check';
import type { EtcdConnection } from './connection';
import { failureOf, isAnswerTooLarge } from './failures';
import { GroupCommit, type Commit, type CommitOutcome } from './group-commit';
import { CallMetrics } from './call-metrics';
import { rangeEnd } from './protocol';
import { outcomesOf, requestOf } from './transaction';
import { EtcdWatch } from './watch';

/** The store in etcd 3.4 or newer. Reads are linearizable. Every failure is one of core/errors. */
export class EtcdStore implements Store {
  private readonly kv: KVClient;
  private readonly group: GroupCommit;
  private readonly calls: CallMetrics;

  constructor(
    private readonly connection: EtcdConnection,
    private readonly clock: Clock,
    metrics: Metrics,
  ) {
    this.kv = new KVClient(connection);
    this.calls = new CallMetrics(clock, metrics);
    this.group = new GroupCommit((commits) => this.send(commits));
    this.calls.reportQueue(() => this.group.queued);
  }

  async get(key: string): Promise<Entry | undefined> {
    const answer = await this.range({ key: Buffer.from(key) });
    const [found] = answer.kvs;
    return found === undefined ? undefined : entryOf(found);
  }

  async *list(
    prefix: string,
    options: { readonly revision?: number; readonly after?: string; readonly pageSize?: number } = {},
  ): AsyncIterable<ListPage> {
    const end = rangeEnd(prefix);
    let { revision } = options;
    let limit = options.pageSize ?? LIMITS.listPageEntries;
    let start = options.after !== undefined && options.after >= prefix ? behind(options.after) : Buffer.from(prefix);
    for (;;) {
      const page = await this.page({
        key: start,
        range_end: end,
        limit,
        ...(revision === undefined ? {} : { revision }),
      });
      if (page === 'too large') {
        limit = Math.max(1, Math.floor(limit / 4));
        continue;
      }
      revision ??= Number(page.header.revision);
      yield { entries: page.kvs.map(entryOf), revision };
      const last = page.kvs.at(-1);
      if (!page.more || last === undefined) return;
      start = Buffer.concat([last.key, Buffer.from([0])]);
    }
  }

  async commit(writes: readonly Write[], fence?: Fence): Promise<number> {
    const bytes = checkCommit(writes);
    return this.group.commit({ writes, fence, bytes });
  }

  watch(
    prefix: string,
    afterRevision: number,
    signal: AbortSignal,
    onStart: () => void = () => undefined,
  ): AsyncIterable<ChangeBatch> {
    return new EtcdWatch(this.connection, this.clock, prefix, afterRevision, onStart).run(signal);
  }

  private async page(request: IRangeRequest): Promise<IRangeResponse | 'too large'> {
    try {
      return await this.range(request);
    } catch (error) {
      if (error instanceof Error && isAnswerTooLarge(error.cause) && Number(request.limit) > 1) return 'too large';
      throw error;
    }
  }

  private range(request: IRangeRequest): Promise<IRangeResponse> {
    const revision = Number(request.revision ?? 0);
    return this.calls.time('range', () => this.connection.read((options) => this.kv.range(request, options), revision));
  }

  private async send(group: readonly Commit[]): Promise<readonly CommitOutcome[]> {
    this.calls.grouped(group.length);
    try {
      const answer = await this.calls.time('txn', () => this.kv.txn(requestOf(group)));
      return outcomesOf(group, answer);
    } catch (error) {
      throw failureOf(error);
    }
  }
}

function entryOf(found: IKeyValue): Entry {
  return {
    key: found.key.toString(),
    value: found.value.toString(),
    revision: Number(found.mod_revision),
    createRevision: Number(found.create_revision),
  };
}

/** The first possible key after this one. */
function behind(key: string): Buffer {
  return Buffer.concat([Buffer.from(key), Buffer.from([0])]);
}
