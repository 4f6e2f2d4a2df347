import type { MarathonApp } from '../support/marathon-client';
import { waitFor } from '../support/wait';
import { fillEtcd } from '../testbed/faults/etcd';
import { Testbed } from '../testbed/testbed';
import { allWell, deploy, expectServing, lostSince, metric, readyz, said, untilTaken } from './etcd-support';
import { describeLong } from './suite';

const QUOTA_BYTES = 16 * 1024 * 1024;

describeLong('etcd is full (NOSPACE)', () => {
  let bed: Testbed;
  let app: MarathonApp;
  let before: Map<string, string>;
  beforeAll(async () => {
    const etcdArgs = ['--quota-backend-bytes', String(QUOTA_BYTES)];
    bed = await Testbed.up({ agents: 2, servers: 2, registry: false, etcdArgs });
    app = await deploy(bed, '/web', 4);
    before = await bed.running();
  });
  afterAll(async () => {
    await bed.down();
    expect(bed.leftovers()).toEqual([]);
  });

  test('writes are refused with what to do, the leader stays, nothing is killed, and after the cure all goes on', async () => {
    const leader = await bed.leader();
    const heal = await fillEtcd(bed);
    const refused = await waitFor('a write to be refused', async () => {
      const answer = await bed.marathon().call('PUT', '/v2/apps/web', { instances: 6 });
      return answer.status === 503 ? answer : undefined;
    });
    expect(refused.headers.get('retry-after')).toMatch(/^\d+$/);
    expect(JSON.stringify(refused.body)).toMatch(/database is full: compact and defragment.*etcdctl alarm disarm/);

    // A task that ends now cannot be written down: its replacement waits.
    const [victim] = app.tasks;
    const host = bed.hosts.find(({ node }) => node.address === victim?.host);
    await host?.docker.getContainer(before.get(victim?.id ?? '') ?? '').kill();
    const others = new Map([...before].filter(([taskId]) => taskId !== victim?.id));
    const endMs = performance.now() + 30_000;
    while (performance.now() < endMs) {
      expect(await lostSince(bed, others)).toEqual([]);
      expect((await bed.marathon().call('GET', '/v2/apps/web')).status).toBe(200);
      await new Promise((resolve) => setTimeout(resolve, 1_000));
    }
    // Renewing a lease takes no space: nobody needs a new leader.
    expect(await bed.leader()).toBe(leader);
    const saysSo = expect.stringMatching(/\[\+\] etcd: answers, but takes no writes: .*etcdctl alarm disarm/);
    for (const server of bed.servers) {
      expect(await readyz(server)).toMatchObject({ status: 200, text: saysSo });
      expect(await metric(server, 'berth_store_full')).toBe(1);
    }
    expect(said(bed, 'an agent is unreachable')).toBe(0);

    await heal();
    await allWell(bed);
    await waitFor('the end of the task to be known', async () => {
      const { tasks } = await bed.marathon().app('/web');
      return !tasks.some(({ id }) => id === victim?.id);
    });
    const again = await bed.marathon().settled('/web', 4);
    expect(again.tasks.filter(({ id }) => others.has(id))).toHaveLength(3);
    await expectServing(again);
    await untilTaken(() => bed.marathon().call('PUT', '/v2/apps/web', { instances: 6 }));
    await bed.marathon().settled('/web', 6);
    expect(await lostSince(bed, others)).toEqual([]);
    await waitFor('no server to call etcd full', async () => {
      const all = await Promise.all(bed.servers.map((server) => metric(server, 'berth_store_full')));
      return all.every((full) => full === 0);
    });
  });

  test('a leader that dies meanwhile: the others say that nobody leads, and take over after the cure', async () => {
    const { instances } = await bed.marathon().app('/web');
    await bed.marathon().settled('/web', instances);
    const running = await bed.running();
    const leader = await bed.leader();
    const heal = await fillEtcd(bed);
    await leader.process.kill();
    const other = bed.servers.find((server) => server !== leader);
    if (other === undefined) throw new Error('there are two servers');
    await waitFor('the other server to say that nobody leads', async () => {
      const { status, text } = await readyz(other);
      return status === 503 && text.includes('[-] leader: nobody leads');
    });
    expect(other.process.log()).toContain('database is full');
    expect((await other.marathon.call('GET', '/v2/apps/web')).status).toBe(200);
    expect(await lostSince(bed, running)).toEqual([]);
    await heal();
    await other.ready(60_000);
    leader.process.start();
    await allWell(bed);
    expect(await lostSince(bed, running)).toEqual([]);
    await untilTaken(() => other.marathon.call('PUT', '/v2/apps/web', { instances: 4 }));
    await other.marathon.settled('/web', 4);
    expect(said(bed, 'an agent is unreachable')).toBe(0);
  });
});
