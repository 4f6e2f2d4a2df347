import { dirname, join } from 'node:path';
import { loadSync, type MethodDefinition, type ServiceDefinition } from '@grpc/proto-loader';
import type { IKeyValue, IResponseHeader } from 'etcd3';

export type EtcdService = 'KV' | 'Watch' | 'Lease' | 'Maintenance' | 'Auth';
export type EtcdMethod = MethodDefinition<object, object>;

/** One answer of a watch stream (etcd3 ships the protocol, but its types leave out `fragment`). */
export interface WatchAnswer {
  readonly header: IResponseHeader;
  readonly watch_id: string;
  readonly created: boolean;
  readonly canceled: boolean;
  readonly compact_revision: string;
  readonly cancel_reason: string;
  readonly fragment: boolean;
  readonly events: readonly { readonly type: 'Put' | 'Delete'; readonly kv: IKeyValue }[];
}

/** etcd's own protocol, from the copy that etcd3 ships; method names as etcd3 spells them (`deleteRange`). */
export class EtcdProtocol {
  private readonly services: ReadonlyMap<string, ReadonlyMap<string, EtcdMethod>>;

  constructor() {
    const folder = join(dirname(require.resolve('etcd3/package.json')), 'proto');
    const loaded = loadSync(join(folder, 'rpc.proto'), {
      keepCase: true,
      longs: String, // lease ids need all 64 bits
      enums: String,
      defaults: true,
      oneofs: true,
    });
    const services = new Map<string, ReadonlyMap<string, EtcdMethod>>();
    for (const [name, definition] of Object.entries(loaded))
      if (!('format' in definition)) services.set(name.replace(/^etcdserverpb\./, ''), methodsOf(definition));
    this.services = services;
  }

  method(service: string, method: string): EtcdMethod {
    const found = this.services.get(service)?.get(method);
    if (found === undefined) throw new Error(`etcd has no ${service}.${method}`);
    return found;
  }
}

function methodsOf(service: ServiceDefinition): ReadonlyMap<string, EtcdMethod> {
  return new Map(
    Object.entries(service).map(([name, method]) => [name.charAt(0).toLowerCase() + name.slice(1), method]),
  );
}

/** The end of the range of all keys with this prefix. */
export function rangeEnd(prefix: string): Buffer {
  const end = Buffer.from(prefix);
  for (let i = end.length - 1; i >= 0; i--) {
    const byte = end[i] ?? 0xff;
    if (byte === 0xff) continue;
    end[i] = byte + 1;
    return end.subarray(0, i + 1);
  }
  return Buffer.from([0]); // all keys
}
