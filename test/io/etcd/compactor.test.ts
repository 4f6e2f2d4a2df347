import { UnavailableError } from '../../../src/core/errors';
import { Compactor } from '../../../src/io/etcd/compactor';
import type { EtcdStatus } from '../../../src/io/etcd/maintenance';
import { FakeClock, RecordingLogger, recordingMetrics } from '../../support/fakes';

const KEEP_MS = 1_000;

function open(status: Partial<EtcdStatus> = {}) {
  const clock = new FakeClock();
  const [log, metrics, controller] = [new RecordingLogger(), recordingMetrics(), new AbortController()];
  const etcd = { revision: 100, compacted: new Array<number>(), away: false };
  const maintenance = {
    status: async (): Promise<EtcdStatus> => {
      if (etcd.away) throw new UnavailableError('etcd');
      const { revision } = etcd;
      const usual = { version: '3.4.23', databaseBytes: 50, databaseUsedBytes: 20, hasLeader: true, alarms: [] };
      return { ...usual, ...status, revision };
    },
    compact: async (revision: number) => void etcd.compacted.push(revision),
  };
  const compactor = new Compactor(maintenance, clock, log, metrics, { keepMs: KEEP_MS, quotaBytes: 100 });
  const running = compactor.run(controller.signal);
  const stop = async () => {
    controller.abort();
    await running;
  };
  return { clock, log, metrics, etcd, stop };
}

describe('Compactor', () => {
  it('forgets only what is older than it keeps', async () => {
    const { clock, etcd, stop } = open();
    await clock.run(KEEP_MS - 1);
    expect(etcd.compacted).toEqual([]);
    etcd.revision = 200;
    await clock.run(1);
    etcd.revision = 300;
    await clock.run(KEEP_MS);
    expect(etcd.compacted).toEqual([100, 200]);
    await stop();
    await clock.run(10 * KEEP_MS);
    expect(etcd.compacted).toEqual([100, 200]);
  });

  it('goes on after trouble, from where it was', async () => {
    const { clock, log, etcd, stop } = open();
    await clock.run(1);
    etcd.away = true;
    await clock.run(2 * KEEP_MS);
    expect(log.messages('warn')).toEqual(['cannot compact the history of etcd']);
    etcd.away = false;
    etcd.revision = 500;
    await clock.run(2 * KEEP_MS);
    expect(etcd.compacted).toEqual([100, 500]);
    await stop();
  });

  test.each<{ name: string; status: Partial<EtcdStatus>; level: 'warn' | 'error' }>([
    { name: 'a database near its quota', status: { databaseBytes: 70 }, level: 'warn' },
    { name: 'an alarm', status: { alarms: ['NOSPACE'] }, level: 'error' },
  ])('complains about $name', async ({ status, level }) => {
    const { clock, log, stop } = open(status);
    await clock.run(1);
    expect(log.messages(level)).toHaveLength(1);
    await stop();
  });

  it('reports the size while it runs, and nothing after', async () => {
    const { clock, log, metrics, stop } = open();
    await clock.run(1);
    expect(metrics.values.get('berth_etcd_database_bytes')).toBe(50);
    expect(metrics.values.get('berth_etcd_quota_used_ratio')).toBe(0.5);
    expect(log.lines).toEqual([]);
    await stop();
    expect(metrics.values.has('berth_etcd_database_bytes')).toBe(false);
  });
});
