import { roleSchema } from '../../src/core/records/records';
import { parseResources } from '../../src/core/records/resources';
import { Master } from '../../src/master/master';
import { MirrorRecords } from '../../src/io/mirror/records';
import { MemoryStore } from '../../src/io/memory/store';
import { FakeClock, RecordingMetrics, noopMetrics, seededIds, seededRandom, silentLogger } from '../support/fakes';
import { ScriptedAgent } from './world';

const MIB = 1024 * 1024;

async function lead() {
  const clock = new FakeClock();
  const store = new MemoryStore();
  const records = new MirrorRecords(store, clock, silentLogger(), noopMetrics());
  const metrics = new RecordingMetrics();
  const end = new AbortController();
  await records.start(end.signal);
  const createRevision = await store.commit([{ kind: 'put', key: '/berth/leader', value: '{}', expect: 0 }]);
  const fence = { key: '/berth/leader', createRevision };
  const master = new Master({
    records,
    term: { fence, signal: end.signal },
    clock,
    random: seededRandom(1),
    ids: seededIds(1),
    log: silentLogger(),
    metrics,
    events: { record: () => undefined },
  });
  master.start();
  return { clock, records, metrics, master, end };
}

test('the gauges of the cluster are those of the leader, and go with it', async () => {
  const { clock, records, metrics, master, end } = await lead();
  const spec = { name: 'prod', weight: 2, quota: { guarantees: { cpus: 1, mem: 64 }, limits: { cpus: 3 } } };
  const metadata = { name: 'prod', uid: 'u', creationTimestamp: '2024-01-01T00:00:00Z', generation: 1 };
  const record = roleSchema.parse({ kind: 'Role', metadata, spec });
  await records.write([{ op: 'put', kind: 'Role', path: 'prod', record }]);
  new ScriptedAgent('a').connect(master);
  await clock.run(100);

  expect(metrics.read('berth_agents', { state: 'connected' })).toBe(1);
  expect(metrics.read('berth_agents', { state: 'unreachable' })).toBe(0);
  expect(metrics.read('berth_resources_capacity', { role: '*', resource: 'cpus' })).toBe(4);
  expect(metrics.read('berth_resources_capacity', { role: '*', resource: 'mem' })).toBe(4096 * MIB);
  expect(metrics.read('berth_role_weight', { role: 'prod' })).toBe(2);
  expect(metrics.read('berth_role_quota_guarantee', { role: 'prod', resource: 'mem' })).toBe(64 * MIB);
  expect(metrics.read('berth_role_quota_limit', { role: 'prod', resource: 'cpus' })).toBe(3);
  expect(metrics.read('berth_agents_brake')).toBe(0);

  await records.write([{ op: 'delete', kind: 'Role', path: 'prod' }]);
  expect(metrics.read('berth_role_weight', { role: 'prod' })).toBeUndefined();

  end.abort();
  metrics.read('berth_agents');
  const left = [...metrics.values.keys()].filter((name) => !/_total|_seconds/.test(name));
  expect(left).toEqual([]);
});

test('capacity is told by the role it is reserved for', async () => {
  const { clock, metrics, master } = await lead();
  const sink = { send: () => undefined, close: () => undefined };
  const agent = {
    hostname: 'a',
    port: 5051,
    resources: parseResources('cpus:4;cpus(db):2;mem:100;ports:[31000-31009]'),
    attributes: [],
    containerizers: ['docker'],
    version: '0',
    runId: 'r',
  };
  master.connectAgent({ agent, tasks: [] }, sink);
  await clock.run(100);
  expect(metrics.read('berth_resources_capacity', { role: '*', resource: 'cpus' })).toBe(4);
  expect(metrics.read('berth_resources_capacity', { role: 'db', resource: 'cpus' })).toBe(2);
});
