import {
  Client,
  connectivityState,
  credentials,
  Metadata,
  status,
  type ChannelCredentials,
  type CallOptions,
  type ClientDuplexStream,
} from '@grpc/grpc-js';
import type { IAuthenticateResponse, ICallable } from 'etcd3';
import { LIMITS } from '../../core/limits';
import type { Random } from '../../core/ports/random';
import { failureOf, isMemberTrouble, isServiceError, isStaleLogin } from './failures';
import { EtcdProtocol, type EtcdService } from './protocol';

export interface EtcdConnectionOptions {
  /** `host:port`, `http://host:port` or `https://host:port`, one per member; all with or all without TLS. */
  readonly endpoints: readonly string[];
  /** PEM. For https: `ca` unless the system's certificates do; `cert` and `key` to log in by certificate. */
  readonly tls?: { readonly ca?: Buffer; readonly cert?: Buffer; readonly key?: Buffer };
  /** Certificates are better: a password costs one more call after every restart of etcd. */
  readonly login?: { readonly username: string; readonly password: string };
  /** Milliseconds until a unary call is given up. */
  readonly callMs?: number;
}

/** One member and our channel to it. */
interface Member {
  readonly address: string;
  client: Client;
}

/**
 * The one gRPC client of a process. Stays with one member and moves on to the next when that one does not serve. Never repeats
 * a call by itself unless etcd refused it unseen (stale login): the outcome of anything else is unknown, and only the caller
 * knows whether a repeat does harm. It is handed to etcd3's typed clients as their transport.
 */
export class EtcdConnection implements ICallable<unknown> {
  readonly callOptionsFactory = undefined;
  private readonly protocol = new EtcdProtocol();
  private readonly credentials: ChannelCredentials;
  private readonly members: Member[];
  private current: number;
  private token: Promise<string> | undefined;
  private closed = false;

  /** Throws a plain Error for unusable options. */
  constructor(
    private readonly options: EtcdConnectionOptions,
    random: Random,
  ) {
    this.credentials = credentialsOf(options);
    this.members = options.endpoints.map((endpoint) => {
      const address = addressOf(endpoint);
      return { address, client: this.connect(address) };
    });
    this.current = Math.floor(random.next() * this.members.length); // spreads the replicas over the members
  }

  /** `host:port` of the members, as given. */
  get endpoints(): readonly string[] {
    return this.options.endpoints;
  }

  /** A unary call with a deadline. Throws what grpc-js throws; see failures.ts. */
  async exec<T>(service: string, method: string, payload: unknown, options: CallOptions = {}): Promise<T> {
    const login = await this.login();
    try {
      return await this.unary<T>(service, method, payload, metadataOf(login), options);
    } catch (error) {
      if (login === undefined || !isStaleLogin(error)) throw error;
      this.token = undefined;
      return this.unary<T>(service, method, payload, metadataOf(await this.login()), options);
    }
  }

  /**
   * A read, which may be repeated: when a member does not serve it is asked of the next one, until LIMITS.readRepeatMs have
   * passed and every member has been tried, all within one deadline. Throws UnavailableError, CompactedError.
   *
   * @param call must pass the options on
   * @param askedRevision of a read of the past
   */
  async read<T>(call: (options: CallOptions) => Promise<T>, askedRevision?: number): Promise<T> {
    const callMs = this.options.callMs ?? LIMITS.storeCallMs;
    // The wall clock may be set meanwhile. gRPC wants it, but only reads it when the call starts.
    const startMs = performance.now();
    const spent = () => performance.now() - startMs;
    for (let tried = 1; ; tried++) {
      try {
        return await call({ deadline: Date.now() + Math.min(callMs - spent(), callMs / 2) });
      } catch (error) {
        const spentMs = spent();
        const enough = spentMs >= LIMITS.readRepeatMs && tried > this.members.length;
        if (enough || spentMs >= callMs || !isMemberTrouble(error)) throw failureOf(error, askedRevision);
        if (tried >= this.members.length) await pause(LIMITS.reconnectFirstMs);
      }
    }
  }

  /** A stream in both directions; no deadline. The server ends it when its member loses the cluster. */
  async open<Q extends object, A extends object>(
    service: EtcdService,
    method: string,
  ): Promise<ClientDuplexStream<Q, A>> {
    const login = await this.login();
    const metadata = metadataOf(login);
    metadata.set('hasleader', 'true'); // a member cut off from the others would otherwise stay silent for ever
    const definition = this.protocol.method(service, method);
    const stream = this.pick().client.makeBidiStreamRequest(
      definition.path,
      definition.requestSerialize,
      definition.responseDeserialize,
      metadata,
    );
    stream.on('error', (error) => {
      if (login !== undefined && isStaleLogin(error)) this.token = undefined; // the next stream logs in again
    });
    return stream as unknown as ClientDuplexStream<Q, A>; // the protocol file is what types it
  }

  /** For etcd3's streaming calls, which we do not use. */
  withConnection<R>(): Promise<R> {
    return Promise.reject(new Error('use open()'));
  }

  /** The member does not answer: take the next, and a new connection to this one. */
  markFailed(): void {
    const member = this.members[this.current];
    if (member === undefined || this.closed) return;
    member.client.close(); // calls under way still get their answer
    member.client = this.connect(member.address);
    this.current = (this.current + 1) % this.members.length;
  }

  close(): void {
    this.closed = true;
    for (const { client } of this.members) client.close();
  }

  private unary<T>(
    service: string,
    method: string,
    payload: unknown,
    metadata: Metadata,
    options: CallOptions,
  ): Promise<T> {
    const definition = this.protocol.method(service, method);
    const deadline = options.deadline ?? Date.now() + (this.options.callMs ?? LIMITS.storeCallMs);
    const member = this.pick();
    const { client } = member;
    return new Promise((resolve, reject) => {
      client.makeUnaryRequest(
        definition.path,
        definition.requestSerialize,
        definition.responseDeserialize,
        payload as object,
        metadata,
        { ...options, deadline },
        (error, answer) => {
          if (error === null) return resolve(answer as T);
          if (isServiceError(error) && error.code === status.DEADLINE_EXCEEDED) this.suspect(member, client);
          reject(error);
        },
      );
    });
  }

  /** A deadline passed on this very connection: it may be half open, and would swallow the next calls too. */
  private suspect(member: Member, client: Client): void {
    if (this.members[this.current] === member && member.client === client) this.markFailed();
  }

  /** The member we stay with, or the next one that is not known to be down. */
  private pick(): Member {
    for (let i = 0; i < this.members.length; i++) {
      const at = (this.current + i) % this.members.length;
      const member = this.members[at];
      const state = member?.client.getChannel().getConnectivityState(true);
      if (member === undefined || state === connectivityState.TRANSIENT_FAILURE) continue;
      this.current = at;
      return member;
    }
    const member = this.members[this.current];
    if (member === undefined) throw new Error('no etcd endpoint');
    return member;
  }

  private async login(): Promise<string | undefined> {
    const { login } = this.options;
    if (login === undefined) return undefined;
    this.token ??= this.authenticate(login.username, login.password);
    return this.token;
  }

  private async authenticate(name: string, password: string): Promise<string> {
    try {
      const answer = await this.unary<IAuthenticateResponse>(
        'Auth',
        'authenticate',
        { name, password },
        new Metadata(),
        {},
      );
      return answer.token;
    } catch (error) {
      this.token = undefined;
      throw error;
    }
  }

  private connect(address: string): Client {
    return new Client(address, this.credentials, {
      'grpc.max_receive_message_length': LIMITS.grpcReceiveBytes,
      'grpc.keepalive_time_ms': 10_000, // etcd cuts off who pings more often than every 5 s; watches ask by themselves
      'grpc.keepalive_timeout_ms': 3_000,
      'grpc.initial_reconnect_backoff_ms': LIMITS.reconnectFirstMs,
      'grpc.max_reconnect_backoff_ms': LIMITS.reconnectLastMs,
      'grpc.use_local_subchannel_pool': 1, // so that a new client is a new connection
      'grpc.enable_retries': 0,
    });
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function metadataOf(token: string | undefined): Metadata {
  const metadata = new Metadata();
  if (token !== undefined) metadata.set('token', token);
  return metadata;
}

function addressOf(endpoint: string): string {
  const address = /^(?:https?:\/\/)?([\w.-]+:\d+|\[[\da-fA-F:.]+\]:\d+)\/?$/.exec(endpoint)?.[1];
  if (address === undefined)
    throw new Error(`'${endpoint}' is no etcd endpoint (http://host:port or https://host:port)`);
  return address;
}

function credentialsOf({ endpoints, tls, login }: EtcdConnectionOptions): ChannelCredentials {
  if (endpoints.length === 0) throw new Error('no etcd endpoint is given');
  const secure = endpoints.filter((endpoint) => endpoint.startsWith('https://')).length;
  if (secure > 0 && secure < endpoints.length) throw new Error('etcd endpoints must be all http or all https');
  if (secure === 0 && tls !== undefined)
    throw new Error('etcd certificates are given, but the endpoints are not https');
  if ((tls?.cert === undefined) !== (tls?.key === undefined))
    throw new Error('an etcd client certificate needs both certificate and key');
  if (login?.username === '') throw new Error('the etcd user name is empty');
  if (secure === 0) return credentials.createInsecure();
  return credentials.createSsl(tls?.ca ?? null, tls?.key ?? null, tls?.cert ?? null);
}
