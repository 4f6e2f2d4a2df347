import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensurePki } from '../../src/api/kube/pki';
import { tellBuild, tellCertificate } from '../../src/compose/process-metrics';
import { RecordingMetrics } from '../support/fakes';

test('the end of a certificate is told in seconds', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'berth-pki-'));
  try {
    const nowMs = Date.parse('2030-01-01T00:00:00Z');
    const { cert } = await ensurePki(folder, [], nowMs);
    const metrics = new RecordingMetrics();
    tellCertificate(metrics, 'kubernetes', cert);
    const ends = metrics.read('berth_certificate_expiry_timestamp_seconds', { certificate: 'kubernetes' }) ?? 0;
    const days = (ends - nowMs / 1000) / 86_400;
    expect(days).toBeGreaterThan(300);
    expect(days).toBeLessThan(400);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a process says what it is', () => {
  const metrics = new RecordingMetrics();
  tellBuild(metrics, 'agent', '1.2.3');
  const labels = { component: 'agent', version: '1.2.3', node_version: process.versions.node };
  expect(metrics.read('berth_build_info', labels)).toBe(1);
});
