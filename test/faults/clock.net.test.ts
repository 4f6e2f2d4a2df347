import { webApp } from '../e2e/world';
import { waitFor } from '../support/wait';
import { clockJump } from '../testbed/faults/clock';
import { cutLink } from '../testbed/faults/link';
import { stall } from '../testbed/faults/process';
import type { Testbed } from '../testbed/testbed';
import type { BedNode } from '../testbed/network';
import type { ServerNode } from '../testbed/server-node';
import {
  PATIENCE_MS,
  hostsOf,
  oneHolder,
  runningOf,
  settledAs,
  started,
  takesWork,
  termOf,
  untilAgent,
} from './cluster';
import { QUICK_SILENCE, describeLong, testLong } from './suite';
import { onWatchedBed } from './watched-bed';

const HOUR_S = 3_600;
const JUMPS = [HOUR_S, -HOUR_S];
const EVERYWHERE = { constraints: [['hostname', 'UNIQUE']] };

let bed: Testbed;
onWatchedBed(
  { agents: 2, servers: 2, etcd: 1, registry: false, faketime: true, serverFlags: QUICK_SILENCE },
  (up) => (bed = up),
);

const start = (app: Record<string, unknown>) => started(bed, app);

type Who = 'the leader' | 'a standby' | 'an agent';

/** The node whose clock jumps; of the agents one on which the app runs. */
async function nodeOf(who: Who, appId: string): Promise<BedNode> {
  const leader = await oneHolder(bed);
  if (who === 'the leader') return leader.node;
  if (who === 'a standby') return standbyOf(leader).node;
  const [name] = await hostsOf(bed, appId);
  const host = bed.hosts.find(({ node }) => node.name === name);
  if (host === undefined) throw new Error(`${appId} runs nowhere`);
  return host.node;
}

function indexOf(node: BedNode): number {
  return bed.hosts.findIndex((host) => host.node === node);
}

function standbyOf(leader: ServerNode): ServerNode {
  const standby = bed.servers.find((server) => server !== leader);
  if (standby === undefined) throw new Error('there is no standby');
  return standby;
}

/** What the server's own clock says, as its answers tell: in whole seconds. */
async function clockOf(server: ServerNode): Promise<number> {
  const answer = await fetch(`${server.url}/ping`, { signal: AbortSignal.timeout(2_000) });
  await answer.arrayBuffer();
  return Date.parse(answer.headers.get('date') ?? '');
}

/** How long one look takes, and the fraction of a second that a date lacks. */
const CLOCK_ERROR_MS = 60_000;

async function jumped(server: ServerNode, seconds: number): Promise<void> {
  const isThere = async () => Math.abs((await clockOf(server)) - Date.now() - seconds * 1_000) < CLOCK_ERROR_MS;
  await waitFor(`the clock of ${server.node.name} to be off by ${seconds} s`, isThere, PATIENCE_MS);
}

test('the fault is real: a server believes the clock it is given', async () => {
  const server = bed.servers[0];
  if (server === undefined) throw new Error('no server');
  await jumped(server, 0);
  const heal = clockJump(server.node, HOUR_S);
  await jumped(server, HOUR_S);
  await heal();
  await jumped(server, 0);
});

describe.each<Who>(['the leader', 'a standby', 'an agent'])('the clock of %s', (who) => {
  const rows = JUMPS.map((seconds) => ({ seconds, run: who === 'the leader' && seconds > 0 ? test : testLong }));
  for (const { seconds, run } of rows)
    run(`jumps by ${seconds} s while apps run and start, and back: nothing is killed, all is started`, async () => {
      const before = await start(webApp('/steady', { instances: 2, ...EVERYWHERE }));
      const term = await termOf(bed);
      const node = await nodeOf(who, '/steady');
      // Engines that stand still keep a task on its way for as long as the test needs.
      const goOn = await Promise.all(bed.hosts.map(({ dockerd }) => stall(dockerd)));
      const client = bed.marathon();
      await client.ok('POST', '/v2/apps', webApp('/starting', { instances: 1 }));
      const [first] = await launched('/starting', 1);

      const heal = clockJump(node, seconds);
      // One more instance makes the leader look at the first one again.
      await client.ok('PUT', '/v2/apps/starting?force=true', { instances: 2 });
      expect(await launched('/starting', 2)).toContain(first);
      for (const each of goOn) await each();
      const started = await settledAs(bed, '/starting', 2);
      expect([...started.keys()]).toContain(first);
      await takesWork(bed, webApp('/meanwhile', { instances: 2, ...EVERYWHERE }));

      await heal();
      await takesWork(bed, webApp('/after', { instances: 2, ...EVERYWHERE }));
      expect(await runningOf(bed, '/starting')).toEqual(started);
      expect(await runningOf(bed, '/steady')).toEqual(before);
      expect(await termOf(bed)).toBe(term);
    });
});

/** Ids of the app's tasks, once there are so many. */
async function launched(appId: string, count: number): Promise<string[]> {
  return waitFor(
    `${count} tasks of ${appId}`,
    async () => {
      const ids = (await bed.marathon().app(appId)).tasks.map(({ id }) => id);
      return ids.length === count ? ids : undefined;
    },
    PATIENCE_MS,
  );
}

describeLong('what waits for time to pass', () => {
  test.each(JUMPS)('patience with a silent agent is not ended by %i s on the clock of the leader', async (seconds) => {
    const unreachableStrategy = { inactiveAfterSeconds: 300, expungeAfterSeconds: 600 };
    const before = await start(webApp('/patient', { instances: 2, unreachableStrategy }));
    const node = await nodeOf('an agent', '/patient');
    const heal = cutLink(bed, node);
    await untilAgent(bed, indexOf(node), 'unreachable');
    const healClock = clockJump((await oneHolder(bed)).node, seconds);
    // One more instance makes the leader look at all of them again.
    await bed.marathon().ok('PUT', '/v2/apps/patient', { instances: 3 });
    const ids = await launched('/patient', 3);
    await waitFor('the third', async () => (await runningOf(bed, '/patient')).size === 3, PATIENCE_MS);
    expect(ids).toEqual(expect.arrayContaining([...before.keys()]));

    await Promise.all([heal(), healClock()]);
    const after = await settledAs(bed, '/patient', 3);
    expect([...before].filter(([taskId, id]) => after.get(taskId) !== id)).toEqual([]);
  });

  test.each(JUMPS)('a silent agent is replaced in time after %i s on the clock of the leader', async (seconds) => {
    const unreachableStrategy = { inactiveAfterSeconds: 5, expungeAfterSeconds: 6 };
    const before = await start(webApp('/impatient', { instances: 2, unreachableStrategy }));
    const node = await nodeOf('an agent', '/impatient');
    const heal = cutLink(bed, node);
    await untilAgent(bed, indexOf(node), 'unreachable');
    const healClock = clockJump((await oneHolder(bed)).node, seconds);
    await waitFor(
      'the replacement',
      async () => (await bed.marathon().tasks('/impatient')).some(({ id }) => !before.has(id)),
      PATIENCE_MS,
    );
    await Promise.all([heal(), healClock()]);
    await settledAs(bed, '/impatient', 2);
  });

  test.each(JUMPS)(
    'a task that warms up keeps its grace period after %i s on the clock of its agent',
    async (seconds) => {
      const warmUp = 'sleep 12; mkdir -p /www && echo up > /www/index.html && exec httpd -f -p 8080 -h /www';
      const check = { protocol: 'HTTP', portIndex: 0, path: '/', intervalSeconds: 1, maxConsecutiveFailures: 3 };
      const healthChecks = [{ ...check, gracePeriodSeconds: 60, timeoutSeconds: 2 }];
      await bed.marathon().ok('POST', '/v2/apps', webApp('/warming', { instances: 1, cmd: warmUp, healthChecks }));
      const [first] = await launched('/warming', 1);
      await waitFor('it to run', async () => (await runningOf(bed, '/warming')).size === 1, PATIENCE_MS);
      const heal = clockJump(await nodeOf('an agent', '/warming'), seconds);
      expect([...(await settledAs(bed, '/warming', 1)).keys()]).toEqual([first]);
      await heal();
    },
  );

  test.each(JUMPS)('what fails is started again in its time after %i s on the clock of the leader', async (seconds) => {
    const app = webApp('/failing', { instances: 1, cmd: 'exit 3', backoffSeconds: 1, maxLaunchDelaySeconds: 3 });
    await bed.marathon().ok('POST', '/v2/apps', { ...app, healthChecks: [] });
    const nextFailure = (after?: string) =>
      waitFor(
        'one more failure',
        async () => {
          const id = (await bed.marathon().app('/failing')).lastTaskFailure?.taskId;
          return id === after ? undefined : id;
        },
        PATIENCE_MS,
      );
    const failed = await nextFailure();
    const heal = clockJump((await oneHolder(bed)).node, seconds);
    await nextFailure(await nextFailure(failed));
    await heal();
    await nextFailure(await nextFailure((await bed.marathon().app('/failing')).lastTaskFailure?.taskId));
  });
});

describeLong('what is ordered by time', () => {
  test('a change that is made after the clock was set back is the newest', async () => {
    await start(webApp('/dated', { instances: 2 }));
    const heals = bed.servers.map(({ node }) => clockJump(node, HOUR_S));
    const client = bed.marathon();
    await client.ok('PUT', '/v2/apps/dated', { labels: { release: 'of the future' } });
    const future = await settledAs(bed, '/dated', 2);
    const { version } = await client.app('/dated');
    expect(Date.parse(version)).toBeGreaterThan(Date.now() + CLOCK_ERROR_MS);

    for (const heal of heals) await heal();
    await client.ok('PUT', '/v2/apps/dated', { labels: { release: 'of today' } });
    const today = await settledAs(bed, '/dated', 2);
    expect([...today.keys()].filter((id) => future.has(id))).toEqual([]);
    const now = await client.app('/dated');
    expect(now.version > version).toBe(true);
    const { versions } = (await client.ok('GET', '/v2/apps/dated/versions')) as { versions: string[] };
    expect(versions[0]).toBe(now.version);
    expect(versions).toHaveLength(3);
  });
});
