import { KVClient, MaintenanceClient } from 'etcd3';
import { CompactedError } from '../../core/errors';
import type { EtcdConnection } from './connection';
import { failureOf } from './failures';

export interface EtcdStatus {
  readonly version: string;
  /** Size of the database file of one member, and the part of it that holds data. Bytes. */
  readonly databaseBytes: number;
  readonly databaseUsedBytes: number;
  /** Newest revision. */
  readonly revision: number;
  readonly hasLeader: boolean;
  /** `NOSPACE`, `CORRUPT`: etcd refuses writes. */
  readonly alarms: readonly string[];
}

/** What an operator of etcd would ask and do. Throws UnavailableError. */
export class EtcdMaintenance {
  private readonly kv: KVClient;
  private readonly maintenance: MaintenanceClient;

  constructor(private readonly connection: EtcdConnection) {
    this.kv = new KVClient(connection);
    this.maintenance = new MaintenanceClient(connection);
  }

  async status(): Promise<EtcdStatus> {
    const [status, alarms] = await this.connection.read((options) =>
      Promise.all([this.maintenance.status(options), this.maintenance.alarm({ action: 'Get' }, options)]),
    );
    return {
      version: status.version,
      databaseBytes: Number(status.dbSize),
      databaseUsedBytes: Number(status.dbSizeInUse),
      revision: Number(status.header.revision),
      hasLeader: status.leader !== '0',
      alarms: alarms.alarms.map(({ alarm }) => String(alarm).toUpperCase()),
    };
  }

  /** Forgets history before `revision`. What is compacted already is success. */
  async compact(revision: number): Promise<void> {
    try {
      await this.kv.compact({ revision });
    } catch (error) {
      const failure = failureOf(error);
      if (!(failure instanceof CompactedError)) throw failure;
    }
  }
}
