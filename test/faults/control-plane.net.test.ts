import { webApp } from '../e2e/world';
import { waitFor } from '../support/wait';
import { revokeLeaseOf } from '../testbed/faults/etcd';
import { blockEventLoop } from '../testbed/faults/event-loop';
import { cutBetween } from '../testbed/faults/firewall';
import { cutLink } from '../testbed/faults/link';
import { stall } from '../testbed/faults/process';
import type { ServerNode } from '../testbed/server-node';
import type { Testbed } from '../testbed/testbed';
import { LEADER_KEY } from '../../src/io/election/lease-election';
import {
  PATIENCE_MS,
  holders,
  oneHolder,
  quietRecords,
  recordsOf,
  runningOf,
  settledAs,
  takesWork,
  termOf,
} from './cluster';
import { LeaderWatch } from './leader-watch';
import { ServingWatch, answering } from './serving';
import { QUICK_SILENCE, describeLong, testLong } from './suite';
import { onWatchedBed } from './watched-bed';

/** More than three leases of 3 s. */
const LONG_PAUSE_MS = 10_000;
const SHORT_PAUSE_MS = 1_000;

let bed: Testbed;
onWatchedBed({ agents: 3, registry: false, serverFlags: QUICK_SILENCE }, (up) => (bed = up));

/** An app that runs and must come through unharmed. */
async function steadyApp(): Promise<ReadonlyMap<string, string>> {
  await bed.marathon().ok('POST', '/v2/apps', webApp('/steady', { instances: 3 }));
  return settledAs(bed, '/steady', 3);
}

/** The length of a pause is part of the fault: nothing else can be waited for. */
async function paused(ms: number): Promise<void> {
  const end = performance.now() + ms;
  await waitFor('the pause to end', () => performance.now() > end, 2 * ms + PATIENCE_MS);
}

function indexOf(server: ServerNode): number {
  return bed.servers.indexOf(server);
}

function except(...servers: readonly ServerNode[]): ServerNode[] {
  return bed.servers.filter((server) => !servers.includes(server));
}

/** Waits until the server has learnt from etcd who leads, and says so. */
async function knows(server: ServerNode, leader: ServerNode): Promise<void> {
  await waitFor(
    `${server.node.name} to know that ${leader.node.name} leads`,
    async () => {
      const answer = (await server.marathon.ok('GET', '/v2/leader')) as { leader?: string };
      return `http://${answer.leader}` === leader.url;
    },
    PATIENCE_MS,
  );
}

describe('the leader is gone', () => {
  test('killed during a rollout: another one leads, the rollout ends, nothing else is touched', async () => {
    const before = await steadyApp();
    const client = bed.marathon();
    const upgradeStrategy = { minimumHealthCapacity: 0.5, maximumOverCapacity: 0 };
    await client.ok('POST', '/v2/apps', webApp('/rolling', { instances: 2, upgradeStrategy }));
    const old = await settledAs(bed, '/rolling', 2);
    await client.ok('PUT', '/v2/apps/rolling', { labels: { release: 'two' } });
    const leader = await oneHolder(bed);
    await leader.process.kill();

    const next = await oneHolder(bed, leader);
    const after = await settledAs(bed, '/rolling', 2, indexOf(next));
    expect([...after.keys()].filter((id) => old.has(id))).toEqual([]);
    await takesWork(bed, webApp('/new', { instances: 1 }), indexOf(next));
    expect(await runningOf(bed, '/steady')).toEqual(before);
  });

  testLong('its lease is revoked by hand: one leads, in a new term, and nothing is killed', async () => {
    const before = await steadyApp();
    const term = await termOf(bed);
    await revokeLeaseOf(bed, LEADER_KEY);
    await waitFor('a new term', async () => (await termOf(bed)) > term, PATIENCE_MS);
    const leader = await oneHolder(bed);
    await takesWork(bed, webApp('/new', { instances: 1 }), indexOf(leader));
    expect(await runningOf(bed, '/steady')).toEqual(before);
  });
});

describeLong('a leader that stands still for longer than its lease', () => {
  const STILL: readonly (readonly [string, (leader: ServerNode) => Promise<() => Promise<void>>])[] = [
    ['stopped by SIGSTOP', (leader) => stall(leader.process)],
    [
      'its event loop blocked',
      async (leader) => {
        const blocked = blockEventLoop(leader.node, leader.process, LONG_PAUSE_MS);
        return () => blocked;
      },
    ],
  ];
  test.each(STILL)('%s: when it goes on, it steps down and writes nothing', async (_how, fault) => {
    const before = await steadyApp();
    const leader = await oneHolder(bed);
    const leaders = new LeaderWatch(bed);
    const goOn = await fault(leader);
    const stillness = paused(LONG_PAUSE_MS);
    const next = await oneHolder(bed, leader, except(leader));
    await takesWork(bed, webApp('/meanwhile', { instances: 1 }), indexOf(next));
    const records = await quietRecords(bed);
    await stillness;
    const logged = leader.process.log().length;
    await goOn();

    await knows(leader, next);
    await waitFor(
      'it to step down',
      () => leader.process.log().slice(logged).includes('leadership ended'),
      PATIENCE_MS,
    );
    expect(await holders(bed)).toEqual([next]);
    expect((await leaders.end()).doubles).toEqual([]);
    expect(await quietRecords(bed)).toEqual(records);
    expect(await runningOf(bed, '/steady')).toEqual(before);
    await takesWork(bed, webApp('/after', { instances: 1 }), indexOf(next));
  });
});

describeLong('pauses that are over before anybody misses anything', () => {
  test('a leader that stands still for less than its lease leads on', async () => {
    const before = await steadyApp();
    const term = await termOf(bed);
    const leader = await oneHolder(bed);
    for (let turn = 0; turn < 3; turn++) {
      const goOn = await stall(leader.process);
      await paused(SHORT_PAUSE_MS);
      await goOn();
      await takesWork(bed, webApp(`/new-${turn}`, { instances: 1 }), indexOf(leader));
    }
    expect(await termOf(bed)).toBe(term);
    expect(await runningOf(bed, '/steady')).toEqual(before);
  });

  test('every process of the cluster stands still, as on machines that are suspended together', async () => {
    const before = await steadyApp();
    const processes = [...bed.etcd, ...bed.servers].map(({ process }) => process);
    const stalls = await Promise.all([...processes, ...bed.hosts.map(({ agent }) => agent)].map(stall));
    await paused(LONG_PAUSE_MS);
    const leaders = new LeaderWatch(bed);
    await Promise.all(stalls.map((goOn) => goOn()));
    await takesWork(bed, webApp('/after', { instances: 3 }));
    expect((await leaders.end()).doubles).toEqual([]);
    expect(await runningOf(bed, '/steady')).toEqual(before);
  });
});

describeLong('a leader that is cut off', () => {
  test('from etcd but not from its agents: it stops in time, another one takes over', async () => {
    const before = await steadyApp();
    const leader = await oneHolder(bed);
    const leaders = new LeaderWatch(bed);
    const heals = bed.etcd.map(({ node }) => cutBetween(leader.node, node));
    const next = await oneHolder(bed, leader);
    await takesWork(bed, webApp('/meanwhile', { instances: 1 }), indexOf(next));
    // It still answers, reads as it knows them, but takes no write.
    expect((await leader.marathon.app('/steady')).instances).toBe(3);
    const refused = await leader.marathon.call('POST', '/v2/apps', webApp('/lost', { instances: 1 }));
    expect(refused.status).toBe(503);
    expect(refused.headers.get('retry-after')).not.toBeNull();
    expect(await leader.isReady()).toBe(false);
    const records = await quietRecords(bed);

    for (const heal of heals) await heal();
    await knows(leader, next);
    await leader.ready(PATIENCE_MS);
    expect(await holders(bed)).toEqual([next]);
    expect((await leaders.end()).doubles).toEqual([]);
    expect(await recordsOf(bed)).toEqual(records);
    expect(await runningOf(bed, '/steady')).toEqual(before);
    expect((await next.marathon.call('GET', '/v2/apps/lost')).status).toBe(404);
  });

  test('from everything, and another server from etcd: the third leads', async () => {
    const before = await steadyApp();
    const leader = await oneHolder(bed);
    const [other, third] = except(leader);
    if (other === undefined || third === undefined) throw new Error('three servers are needed');
    const leaders = new LeaderWatch(bed);
    const heals = [cutLink(bed, leader.node), ...bed.etcd.map(({ node }) => cutBetween(other.node, node))];
    await oneHolder(bed, leader, [other, third]);
    await takesWork(bed, webApp('/meanwhile', { instances: 1 }), indexOf(third));
    expect(await holders(bed, [other, third])).toEqual([third]);
    expect(await runningOf(bed, '/steady')).toEqual(before);

    for (const heal of heals) await heal();
    await Promise.all([knows(leader, third), knows(other, third)]);
    expect(await holders(bed)).toEqual([third]);
    expect((await leaders.end()).doubles).toEqual([]);
    await takesWork(bed, webApp('/after', { instances: 1 }), indexOf(leader));
    expect(await runningOf(bed, '/steady')).toEqual(before);
  });
});

describeLong('every server is down', () => {
  test('what runs goes on to serve, and is found again', async () => {
    const before = await steadyApp();
    await Promise.all(bed.servers.map(({ process }) => process.kill()));
    const watch = new ServingWatch(bed, '/steady');
    await paused(LONG_PAUSE_MS);
    for (const server of bed.servers) server.start();
    await Promise.all(bed.servers.map((server) => server.ready(PATIENCE_MS)));
    await bed.allActive();
    const serving = await watch.end();
    expect(serving.looks).toBeGreaterThan(10);
    expect(serving.least).toBe(3);
    expect(await settledAs(bed, '/steady', 3)).toEqual(before);
    await takesWork(bed, webApp('/after', { instances: 1 }));
    expect(await runningOf(bed, '/steady')).toEqual(before);
  });
});

describeLong('leaders come and go', () => {
  const CHANGES = 10;
  const EVERY_MS = 6_000;

  /** One change; resolves when another term has begun. */
  async function change(turn: number): Promise<void> {
    const term = await termOf(bed);
    const leader = await oneHolder(bed);
    if (turn % 3 === 0) await leader.process.restart('SIGTERM');
    else if (turn % 3 === 1) await leader.process.restart('SIGKILL');
    else await revokeLeaseOf(bed, LEADER_KEY);
    await waitFor('another term', async () => (await termOf(bed)) > term, PATIENCE_MS);
  }

  /** Asked of whichever server answers: one may just be starting. */
  async function isRolling(): Promise<boolean> {
    const ask = async () =>
      (await Promise.any(bed.servers.map(({ marathon }) => marathon.app('/rolling')))).deployments;
    return (await waitFor('an answer', ask, PATIENCE_MS)).length > 0;
  }

  test('ten in a minute, during a rollout: it ends, and never too few serve', async () => {
    const before = await steadyApp();
    const strategy = { minimumHealthCapacity: 0.75, maximumOverCapacity: 0 };
    const cmd = 'sleep 10; mkdir -p /www && echo "$MESOS_TASK_ID" > /www/index.html && exec httpd -f -p 8080 -h /www';
    const app = webApp('/rolling', { instances: 8, cmd, upgradeStrategy: strategy });
    await bed.marathon().ok('POST', '/v2/apps', app);
    const old = await settledAs(bed, '/rolling', 8);
    await waitFor('all to answer', async () => (await answering(bed, '/rolling')) === 8, PATIENCE_MS);

    const watch = new ServingWatch(bed, '/rolling');
    const leaders = new LeaderWatch(bed);
    await bed.marathon().ok('PUT', '/v2/apps/rolling', { labels: { release: 'two' } });
    let during = 0;
    for (let turn = 0; turn < CHANGES; turn++) {
      const nextAt = performance.now() + EVERY_MS;
      await change(turn);
      if (await isRolling()) during++;
      await waitFor('the next turn', () => performance.now() > nextAt, PATIENCE_MS);
    }
    const after = await settledAs(bed, '/rolling', 8);
    const [serving, led] = await Promise.all([watch.end(), leaders.end()]);
    expect(led.looks).toBeGreaterThan(50);
    expect(led.doubles).toEqual([]);
    expect([...after.keys()].filter((id) => old.has(id))).toEqual([]);
    expect(during).toBeGreaterThanOrEqual(5);
    expect(serving.looks).toBeGreaterThan(50);
    expect(serving.least).toBeGreaterThanOrEqual(6);
    expect(await runningOf(bed, '/steady')).toEqual(before);
  }, 300_000);
});
