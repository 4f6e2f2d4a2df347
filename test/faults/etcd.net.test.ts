import type { MarathonApp } from '../support/marathon-client';
import { waitFor } from '../support/wait';
import { compact, etcdDown, killEtcdLeader, noQuorum } from '../testbed/faults/etcd';
import { healAll } from '../testbed/faults/heal';
import { cutLink } from '../testbed/faults/link';
import { stall } from '../testbed/faults/process';
import { Testbed } from '../testbed/testbed';
import { allWell, deploy, expectServing, lostSince, readyz, said, untilTaken } from './etcd-support';
import { testLong } from './suite';

const AWAY_MS = 60_000;

describe('etcd in trouble', () => {
  let bed: Testbed;
  let app: MarathonApp;
  let before: Map<string, string>;

  beforeAll(async () => {
    bed = await Testbed.up({ agents: 2, registry: false });
    app = await deploy(bed, '/web', 4);
    before = await bed.running();
    expect(before.size).toBe(4);
  });
  afterEach(async () => {
    await healAll(bed);
    await allWell(bed);
    expect(await lostSince(bed, before)).toEqual([]);
    await expectServing(app);
  });
  afterAll(async () => {
    await bed.down();
    expect(bed.leftovers()).toEqual([]);
  });

  const scale = (instances: number) => bed.marathon().call('PUT', '/v2/apps/web', { instances });
  const lost = () => said(bed, 'an agent is unreachable');

  test('the leader of etcd is killed: writes go on after its election, nothing is lost', async () => {
    await killEtcdLeader(bed);
    await untilTaken(() => scale(5));
    await bed.marathon().settled('/web', 5);
    await scale(4);
    await bed.marathon().settled('/web', 4);
    expect(await lostSince(bed, before)).toEqual([]);
    expect(lost()).toBe(0);
  });

  test('history is compacted while a server stands still: its mirror lists again and shows everything', async () => {
    const leader = await bed.leader();
    const follower = bed.servers.find((server) => server !== leader);
    if (follower === undefined) throw new Error('three servers have a follower');
    const wake = await stall(follower.process);
    await leader.marathon.ok('PUT', '/v2/apps/web', { instances: 5 });
    await leader.marathon.settled('/web', 5);
    await compact(bed);
    await wake();
    await follower.marathon.settled('/web', 5);
    await follower.marathon.ok('PUT', '/v2/apps/web', { instances: 4 });
    await follower.marathon.settled('/web', 4);
    expect(await lostSince(bed, before)).toEqual([]);
  });

  testLong('history is compacted while the leader stands still: the next one knows everything', async () => {
    const leader = await bed.leader();
    const wake = await stall(leader.process);
    const next = await waitFor('another leader', async () => {
      const found = await bed.leader();
      return found === leader ? undefined : found;
    });
    await next.marathon.ok('PUT', '/v2/apps/web', { instances: 5 });
    await next.marathon.settled('/web', 5);
    await compact(bed);
    await wake();
    await leader.marathon.settled('/web', 5);
    await leader.marathon.ok('PUT', '/v2/apps/web', { instances: 4 });
    await leader.marathon.settled('/web', 4);
    expect(lost()).toBe(0);
  });

  testLong('the leader of etcd is cut off: the servers move on to the others', async () => {
    const leader = await bed.etcdLeader();
    const heal = cutLink(bed, leader.node);
    await untilTaken(() => scale(5));
    await bed.marathon().settled('/web', 5);
    await Promise.all(bed.servers.map((server) => server.ready(20_000)));
    await heal();
    await leader.ready();
    await untilTaken(() => scale(4));
    await bed.marathon().settled('/web', 4);
    expect(lost()).toBe(0);
  });

  testLong('no quorum for a minute: reads are marked stale, writes refused, nobody is declared lost', async () => {
    const heal = await noQuorum(bed);
    await waitFor('every server to say that it is not ready', async () => {
      const answers = await Promise.all(bed.servers.map(readyz));
      return answers.every(({ status, text }) => status === 503 && text.includes('[-] etcd: does not answer'));
    });
    const endMs = performance.now() + AWAY_MS;
    while (performance.now() < endMs) {
      for (const { marathon } of bed.servers) {
        const read = await marathon.call('GET', '/v2/apps/web');
        expect(read.status).toBe(200);
        expect(read.headers.get('warning')).toContain('Response is Stale');
      }
      const write = await scale(6);
      expect(write.status).toBe(503);
      expect(write.headers.get('retry-after')).toMatch(/^\d+$/);
      expect(JSON.stringify(write.body)).toContain('etcd');
      await expectServing(app);
      expect(await lostSince(bed, before)).toEqual([]);
    }
    const backMs = performance.now();
    await heal();
    await allWell(bed);
    await bed.leader();
    expect(performance.now() - backMs).toBeLessThan(30_000);
    await untilTaken(() => scale(4));
    await bed.marathon().settled('/web', 4);
    expect(lost()).toBe(0);
  });

  testLong('all members die and come back: everything goes on', async () => {
    const heal = await etcdDown(bed);
    await waitFor('every server to say that it is not ready', async () => {
      const answers = await Promise.all(bed.servers.map(readyz));
      return answers.every(({ status }) => status === 503);
    });
    await expectServing(app);
    await heal();
    await allWell(bed);
    await untilTaken(() => scale(5));
    await bed.marathon().settled('/web', 5);
    await untilTaken(() => scale(4));
    await bed.marathon().settled('/web', 4);
    expect(lost()).toBe(0);
  });
});
