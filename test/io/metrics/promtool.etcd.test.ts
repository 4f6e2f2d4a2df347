import { spawnSync } from 'node:child_process';
import { PromMetrics } from '../../../src/io/metrics/prom-metrics';

// Among the tests that need packages of the distribution (etcd, prometheus).
describe('PromMetrics and promtool', () => {
  it('is accepted by promtool, defaults and event loop delay included', async () => {
    const metrics = new PromMetrics({ cluster: 'test' });
    metrics.counter({ name: 'berth_things_total', help: 'Things.', labels: ['kind'] }).inc({ kind: 'a' });
    metrics.histogram({ name: 'berth_wait_seconds', help: 'Wait.' }).observe(1);
    const text = await metrics.render();
    expect(text).toContain('nodejs_eventloop_lag_p99_seconds');
    expect(text).toContain('process_resident_memory_bytes');
    const checked = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8', timeout: 20_000 });
    if (checked.error !== undefined) throw new Error('promtool is missing: apt-get install prometheus');
    expect(checked.stdout + checked.stderr).toBe('');
    expect(checked.status).toBe(0);
  });
});
