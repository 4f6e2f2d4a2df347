import type { ClientDuplexStream } from '@grpc/grpc-js';
import { CompactedError, UnavailableError } from '../../core/errors';
import { LIMITS } from '../../core/limits';
import type { Clock, Timer } from '../../core/ports/clock';
import type { Change, ChangeBatch } from '../../core/ports/store';
import type { EtcdConnection } from './connection';
import { failureOf } from './failures';
import { rangeEnd, type WatchAnswer } from './protocol';

type WatchStream = ClientDuplexStream<object, WatchAnswer>;

/** Id in answers to a progress request, which belong to no watch in particular. */
const NO_WATCH = '-1';

/**
 * One watch on a stream of its own. Starts one revision early and drops what is known: etcd forgets deletions *at* the
 * revision it compacts, so only a watch from there on is told when that one is gone. The stream is asked for a sign of life
 * now and then; the revision in such an answer is not used, since etcd before 3.4.25 sends it ahead of events that are still
 * on their way.
 */
export class EtcdWatch {
  private readonly batches: ChangeBatch[] = [];
  /** Events of the answer that is being received in fragments. */
  private pending: WatchAnswer['events'][number][] = [];
  private ended: { readonly error?: Error } | undefined;
  private wake: () => void = () => undefined;
  private lastHeardMs: number;
  private timer: Timer | undefined;
  private stream: WatchStream | undefined;

  constructor(
    private readonly connection: EtcdConnection,
    private readonly clock: Clock,
    private readonly prefix: string,
    private readonly afterRevision: number,
    private readonly onStart: () => void,
  ) {
    this.lastHeardMs = clock.monotonicMs();
  }

  /** Batches until `signal` aborts; throws CompactedError or UnavailableError. */
  async *run(signal: AbortSignal): AsyncGenerator<ChangeBatch> {
    const abort = () => this.end();
    signal.addEventListener('abort', abort, { once: true });
    try {
      if (signal.aborted) return;
      await this.start();
      for (;;) {
        const batch = this.batches.shift();
        if (batch !== undefined) yield batch;
        else if (this.ended === undefined) await new Promise<void>((resolve) => (this.wake = resolve));
        else if (this.ended.error !== undefined && !signal.aborted) throw this.ended.error;
        else return;
        if (this.batches.length === 0) this.stream?.resume();
      }
    } finally {
      signal.removeEventListener('abort', abort);
      this.end();
    }
  }

  private async start(): Promise<void> {
    this.watchSilence(); // from the first moment: also a stream that never opens is given up
    try {
      this.adopt(await this.connection.open<object, WatchAnswer>('Watch', 'watch'));
    } catch (error) {
      this.end(failureOf(error));
    }
  }

  private adopt(stream: WatchStream): void {
    this.stream = stream;
    if (this.ended !== undefined) return this.cancel();
    stream.on('data', (answer) => this.hear(answer));
    stream.on('error', (error) => this.end(failureOf(error)));
    stream.on('end', () => this.end(new UnavailableError('etcd', { detail: 'it ended the watch' })));
    stream.write({
      create_request: {
        key: Buffer.from(this.prefix),
        range_end: rangeEnd(this.prefix),
        start_revision: Math.max(1, this.afterRevision),
        progress_notify: true,
        fragment: true,
      },
    });
  }

  private hear(answer: WatchAnswer): void {
    this.lastHeardMs = this.clock.monotonicMs();
    if (this.ended !== undefined || answer.watch_id === NO_WATCH) return;
    if (answer.canceled) return this.end(cancellation(answer));
    if (answer.created) return this.onStart();
    for (const event of answer.events) this.pending.push(event);
    if (answer.fragment) return;
    if (this.pending.length === 0) this.push({ revision: Number(answer.header.revision), changes: [] });
    else for (const batch of batchesOf(this.pending)) this.push(batch);
    this.pending = [];
  }

  private push(batch: ChangeBatch): void {
    if (batch.revision <= this.afterRevision) return;
    this.batches.push(batch);
    if (this.batches.length >= LIMITS.watchBuffer) this.stream?.pause();
    this.wake();
  }

  private end(error?: Error): void {
    if (this.ended !== undefined) return;
    this.ended = error === undefined ? {} : { error };
    this.timer?.cancel();
    this.cancel();
    this.wake();
  }

  private cancel(): void {
    this.stream?.on('error', () => undefined); // cancelling makes one more
    this.stream?.cancel();
  }

  private watchSilence(): void {
    this.timer = this.clock.after(LIMITS.watchProbeMs, () => {
      if (this.stream?.isPaused() === true) this.lastHeardMs = this.clock.monotonicMs(); // it is us who do not listen
      if (this.clock.monotonicMs() - this.lastHeardMs > LIMITS.watchSilenceMs) {
        this.connection.markFailed();
        return this.end(new UnavailableError('etcd', { detail: 'its watch has fallen silent' }));
      }
      this.stream?.write({ progress_request: {} });
      this.watchSilence();
    });
  }
}

function cancellation(answer: WatchAnswer): Error {
  const compacted = Number(answer.compact_revision);
  if (compacted > 0) return new CompactedError(compacted);
  return new UnavailableError('etcd', {
    detail: `it cancelled the watch: ${answer.cancel_reason || 'no reason given'}`,
  });
}

/** All events of one revision in one batch; etcd sends them in order and never splits a revision between two answers. */
function batchesOf(events: readonly WatchAnswer['events'][number][]): ChangeBatch[] {
  const batches: { revision: number; changes: Change[] }[] = [];
  for (const { type, kv } of events) {
    const revision = Number(kv.mod_revision);
    const last = batches.at(-1);
    const batch = last?.revision === revision ? last : { revision, changes: [] };
    if (batch !== last) batches.push(batch);
    const key = kv.key.toString();
    batch.changes.push(
      type === 'Delete'
        ? { kind: 'delete', key, revision }
        : {
            kind: 'put',
            entry: { key, value: kv.value.toString(), revision, createRevision: Number(kv.create_revision) },
          },
    );
  }
  return batches;
}
