import {
  KVClient,
  LeaseClient,
  type ILeaseKeepAliveRequest,
  type ILeaseKeepAliveResponse,
  type ITxnRequest,
} from 'etcd3';
import type { CallOptions, ClientDuplexStream } from '@grpc/grpc-js';
import { TimeoutError } from '../../core/errors';
import type { Clock } from '../../core/ports/clock';
import type { Acquired, Lease, Leases } from '../election/leases';
import type { EtcdConnection } from './connection';
import { failureOf, isLeaseGone } from './failures';

/** Leases of etcd. It rounds up to whole seconds, and to at least one and a half of its election timeouts. */
export class EtcdLeases implements Leases {
  private readonly kv: KVClient;
  private readonly lease: LeaseClient;

  constructor(
    private readonly connection: EtcdConnection,
    private readonly clock: Clock,
  ) {
    this.kv = new KVClient(connection);
    this.lease = new LeaseClient(connection);
  }

  async grant(ttlMs: number, timeoutMs: number): Promise<Lease> {
    try {
      const answer = await this.lease.leaseGrant({ TTL: Math.ceil(ttlMs / 1000) }, within(timeoutMs));
      return { id: answer.ID, ttlMs: Number(answer.TTL) * 1000 };
    } catch (error) {
      throw failureOf(error);
    }
  }

  async renew(leaseId: string, timeoutMs: number): Promise<number> {
    try {
      const stream = await this.connection.open<ILeaseKeepAliveRequest, ILeaseKeepAliveResponse>(
        'Lease',
        'leaseKeepAlive',
      );
      const answer = await this.firstAnswer(stream, { ID: leaseId }, timeoutMs);
      return Math.max(0, Number(answer.TTL)) * 1000;
    } catch (error) {
      if (isLeaseGone(error)) return 0;
      if (error instanceof TimeoutError) this.connection.markFailed();
      throw failureOf(error);
    }
  }

  async revoke(leaseId: string, timeoutMs: number): Promise<void> {
    try {
      await this.lease.leaseRevoke({ ID: leaseId }, within(timeoutMs));
    } catch (error) {
      if (!isLeaseGone(error)) throw failureOf(error);
    }
  }

  async acquire(key: string, value: string, leaseId: string, timeoutMs: number): Promise<Acquired> {
    const name = Buffer.from(key);
    try {
      const request: ITxnRequest = {
        compare: [{ result: 'Equal', target: 'Create', key: name, create_revision: 0 }],
        success: [{ request_put: { key: name, value: Buffer.from(value), lease: leaseId } }],
        failure: [{ request_range: { key: name } }],
      };
      const answer = await this.kv.txn(request, within(timeoutMs));
      if (answer.succeeded) return { won: true, createRevision: Number(answer.header.revision) };
      const found = answer.responses[0]?.response_range.kvs[0];
      if (found === undefined) return { won: false, holder: undefined };
      const [revision, createRevision] = [Number(found.mod_revision), Number(found.create_revision)];
      return { won: false, holder: { key, value: found.value.toString(), revision, createRevision } };
    } catch (error) {
      throw failureOf(error);
    }
  }

  /** etcd renews over a stream; one answer is all we want of it. */
  private firstAnswer<Q extends object, A extends object>(
    stream: ClientDuplexStream<Q, A>,
    request: Q,
    timeoutMs: number,
  ): Promise<A> {
    return new Promise<A>((resolve, reject) => {
      const timer = this.clock.after(timeoutMs, () => {
        reject(new TimeoutError('the renewal of a lease', timeoutMs));
        stream.cancel();
      });
      const settle = (act: () => void) => {
        timer.cancel();
        act();
      };
      stream.once('data', (answer: A) => {
        settle(() => resolve(answer));
        stream.end();
      });
      stream.on('error', (error) => settle(() => reject(error)));
      stream.once('end', () => settle(() => reject(new TimeoutError('the renewal of a lease', 0))));
      stream.write(request);
    });
  }
}

function within(timeoutMs: number): CallOptions {
  return { deadline: Date.now() + timeoutMs };
}
