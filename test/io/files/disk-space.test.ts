import { mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DiskSpace } from '../../../src/io/files/disk-space';
import { RecordingMetrics } from '../../support/fakes';

test('tells size and space of a disk, and nothing once it is gone', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'berth-disk-'));
  const metrics = new RecordingMetrics();
  const space = new DiskSpace(metrics);
  await space.watch('work', () => Promise.resolve(folder));
  await space.watch('docker', () => Promise.resolve(join(folder, 'missing')));
  const { blocks, bsize } = statfsSync(folder);
  expect(metrics.values.get('berth_agent_disk_size_bytes{disk="work"}')).toBe(blocks * bsize);
  const available = metrics.values.get('berth_agent_disk_available_bytes{disk="work"}');
  expect(available).toBeGreaterThan(0);
  expect(available).toBeLessThanOrEqual(blocks * bsize);
  expect(metrics.values.get('berth_agent_disk_size_bytes{disk="docker"}')).toBeUndefined();

  rmSync(folder, { recursive: true });
  await space.measure();
  expect(metrics.values.get('berth_agent_disk_size_bytes{disk="work"}')).toBeUndefined();
});

test('asks again where a disk is until somebody knows', async () => {
  const metrics = new RecordingMetrics();
  const space = new DiskSpace(metrics);
  let calls = 0;
  await space.watch('docker', () => (++calls === 1 ? Promise.reject(new Error('away')) : Promise.resolve(tmpdir())));
  expect(metrics.values.get('berth_agent_disk_size_bytes{disk="docker"}')).toBeUndefined();
  await space.measure();
  expect(metrics.values.get('berth_agent_disk_size_bytes{disk="docker"}')).toBeGreaterThan(0);
  await space.measure();
  expect(calls).toBe(2);
});
