import { EtcdConnection, type EtcdConnectionOptions } from '../../../src/io/etcd/connection';
import { EtcdStore } from '../../../src/io/etcd/store';
import { SystemRandom } from '../../../src/io/system/chance';
import { SystemClock } from '../../../src/io/system/clock';
import { noopMetrics } from '../../support/fakes';

/** Everything that tests opened and must close again, last first. */
export class Closing {
  private readonly closers: (() => unknown)[] = [];

  add(close: () => unknown): void {
    this.closers.push(close);
  }

  async all(): Promise<void> {
    for (const close of this.closers.splice(0).toReversed()) await close();
  }

  store(endpoints: readonly string[], options: Omit<EtcdConnectionOptions, 'endpoints'> = {}) {
    const connection = new EtcdConnection({ endpoints, ...options }, new SystemRandom());
    this.add(() => connection.close());
    return { connection, store: new EtcdStore(connection, new SystemClock(), noopMetrics()) };
  }
}
