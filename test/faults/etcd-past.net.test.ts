import { execFile } from 'node:child_process';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { webApp } from '../e2e/world';
import { waitFor } from '../support/wait';
import { emptyEtcd, restoreSnapshot, saveSnapshot } from '../testbed/faults/etcd';
import { Testbed } from '../testbed/testbed';
import {
  allWell,
  deploy,
  events,
  holdsFor,
  lostSince,
  metric,
  orphansAre,
  readyz,
  removeApps,
  said,
  statusOf,
} from './etcd-support';
import { testLong } from './suite';

const run = promisify(execFile);
const MAIN = resolve(process.cwd(), 'dist/main.js');
const TEST_MS = 240_000;
/** Longer than a full pass of the orchestrator and the window of its brake. */
const LONG_MS = 75_000;

describe('a store of the past', () => {
  let bed: Testbed;
  beforeAll(async () => {
    bed = await Testbed.up({ agents: 2, registry: false });
  });
  afterEach(() => removeApps(bed, ['/web', '/other', '/old', '/new']));
  afterAll(async () => {
    await bed.down();
    expect(bed.leftovers()).toEqual([]);
  });

  const rewindsSeen = async () => (await statusOf(await bed.leader())).etcd.wentBack.length;
  const idsOf = async (app: string) => (await bed.marathon().tasks(app)).map(({ id }) => id).toSorted();

  /** Every server has seen that the store went back, has taken it in and says so. */
  async function noticed(times: number): Promise<void> {
    await waitFor('every server to notice that the store went back', async () => {
      const all = await Promise.all(bed.servers.map((server) => statusOf(server).catch(() => undefined)));
      return all.every((status) => status?.etcd.wentBack.length === times);
    });
    await allWell(bed);
    for (const server of bed.servers) {
      expect(await readyz(server)).toMatchObject({ status: 200, text: expect.stringContaining('the store went back') });
      expect(await metric(server, 'berth_store_rewinds_total')).toBe(times);
    }
    expect((await events(bed, 'StoreWentBack')).length).toBeGreaterThan(0);
  }

  test('emptied: nothing is killed, what runs is shown, and apps that come again get their containers', async () => {
    await deploy(bed, '/web', 3);
    const before = await bed.running();
    await emptyEtcd(bed);
    await orphansAre(bed, [...before.keys()]);
    await noticed(1);
    expect(await metric(await bed.leader(), 'berth_orphaned_tasks')).toBe(3);
    expect(await lostSince(bed, before)).toEqual([]);
    await bed.marathon().ok('POST', '/v2/apps', webApp('/web', { instances: 3 }));
    const app = await bed.marathon().settled('/web', 3);
    expect(app.tasks.map(({ id }) => id).toSorted()).toEqual([...before.keys()].toSorted());
    expect(await bed.running()).toEqual(before);
    await orphansAre(bed, []);
  });

  testLong(
    'emptied, and nobody does anything: zero kills',
    async () => {
      await deploy(bed, '/web', 8);
      const before = await bed.running();
      const rewinds = await rewindsSeen();
      await emptyEtcd(bed);
      await orphansAre(bed, [...before.keys()]);
      await noticed(rewinds + 1);
      await holdsFor(bed, before, LONG_MS);
      expect(said(bed, 'kill brake engaged')).toBe(0);
      // A new app runs beside them.
      const other = await deploy(bed, '/other', 2);
      expect(other.tasks).toHaveLength(2);
      expect(await lostSince(bed, before)).toEqual([]);
      // The operator deletes what he wants no more: the app comes back, takes up what runs, and goes with it.
      await bed.marathon().ok('POST', '/v2/apps', webApp('/web', { instances: 8 }));
      await bed.marathon().settled('/web', 8);
      expect(await lostSince(bed, before)).toEqual([]);
      await bed.marathon().ok('DELETE', '/v2/apps/web');
      await bed.marathon().gone('/web');
      await waitFor('only the other app to run', async () => (await bed.running()).size === 2);
    },
    TEST_MS,
  );

  testLong(
    'an old snapshot: containers go on, apps of then know theirs, apps made since are shown',
    async () => {
      await deploy(bed, '/old', 2);
      const [first = ''] = await idsOf('/old');
      const snapshot = await saveSnapshot(bed);
      // Everything that the snapshot does not know: a run after a failure, more instances, an app.
      await bed.marathon().ok('DELETE', `/v2/apps/old/tasks/${encodeURIComponent(first)}`);
      await waitFor('the next run', async () => {
        const ids = await idsOf('/old');
        return ids.length === 2 && !ids.includes(first);
      });
      await bed.marathon().settled('/old', 2);
      await bed.marathon().ok('PUT', '/v2/apps/old', { instances: 7 });
      await bed.marathon().settled('/old', 7);
      await deploy(bed, '/new', 2);
      const before = await bed.running();
      expect(before.size).toBe(9);
      const [old, young] = [await idsOf('/old'), await idsOf('/new')];

      const rewinds = await rewindsSeen();
      await restoreSnapshot(bed, snapshot);
      await orphansAre(bed, young);
      await noticed(rewinds + 1);
      await waitFor('/old to show all its tasks', async () => (await idsOf('/old')).join() === old.join());
      await holdsFor(bed, before, LONG_MS);
      expect(await bed.running()).toEqual(before);
      expect(await idsOf('/old')).toEqual(old);
      expect((await bed.marathon().app('/old')).instances).toBe(2);
      expect((await events(bed, 'AppRecordOutdated')).join()).toContain('5 instances should go');

      // The user has the last word: what he wants now is done to what really runs.
      await bed.marathon().ok('POST', '/v2/apps', webApp('/new', { instances: 2 }));
      await bed.marathon().settled('/new', 2);
      expect(await idsOf('/new')).toEqual(young);
      await bed.marathon().ok('PUT', '/v2/apps/old', { instances: 3 });
      const left = await bed.marathon().settled('/old', 3);
      for (const { id } of left.tasks) expect((await bed.running()).get(id)).toBe(before.get(id));
      expect(said(bed, 'an agent is unreachable')).toBe(0);
    },
    TEST_MS,
  );

  testLong(
    'an old snapshot, restored while all servers are stopped: they know it, and nothing runs twice',
    async () => {
      await deploy(bed, '/old', 3);
      const snapshot = await saveSnapshot(bed);
      // Two runs that the snapshot does not know: in its words neither of the two instances runs.
      for (const id of (await idsOf('/old')).slice(0, 2)) {
        await bed.marathon().ok('DELETE', `/v2/apps/old/tasks/${encodeURIComponent(id)}`);
        await waitFor('the next run', async () => {
          const ids = await idsOf('/old');
          return ids.length === 3 && !ids.includes(id);
        });
      }
      await bed.marathon().settled('/old', 3);
      const before = await bed.running();
      await Promise.all(bed.servers.map(({ process }) => process.stop()));
      await restoreSnapshot(bed, snapshot);
      const told = bed.servers.map(({ process }) => process.log().length);
      for (const server of bed.servers) server.start();
      await allWell(bed);
      // Told when a term begins, which is after the servers are ready. Events of tests before this one are in the snapshot, too.
      const tellsIt = () =>
        bed.servers.some(({ process }, i) =>
          process.log().slice(told[i]).includes('the records may be older than what runs'),
        );
      await waitFor('a leader to tell', tellsIt);
      await waitFor('the event', async () => (await events(bed, 'StoreWentBack')).length > 0);
      await bed.marathon().settled('/old', 3);
      await holdsFor(bed, before, 20_000);
      expect(await bed.running()).toEqual(before);
      await orphansAre(bed, []);
    },
    TEST_MS,
  );

  testLong(
    'emptied, then all records put back under running servers: the same containers go on',
    async () => {
      await deploy(bed, '/old', 3);
      await deploy(bed, '/new', 2);
      const before = await bed.running();
      const saved = await allRecords();
      const rewinds = await rewindsSeen();
      await emptyEtcd(bed);
      await orphansAre(bed, [...before.keys()]);
      await noticed(rewinds + 1);
      for (const [key, value] of saved) await bed.etcd[0]?.ctl('put', '--', key, value);
      await orphansAre(bed, []);
      await bed.marathon().settled('/old', 3);
      await bed.marathon().settled('/new', 2);
      await holdsFor(bed, before, 20_000);
      expect(await bed.running()).toEqual(before);
    },
    TEST_MS,
  );

  testLong(
    'emptied, then restored by berth restore with the servers stopped: the same containers go on',
    async () => {
      await deploy(bed, '/old', 3);
      await deploy(bed, '/new', 2);
      const before = await bed.running();
      const backup = join(bed.dir, 'backup.jsonl.gz');
      await berth('backup', backup);
      // More happens after the backup was taken: a run that it does not know.
      const [first = ''] = await idsOf('/old');
      await bed.marathon().ok('DELETE', `/v2/apps/old/tasks/${encodeURIComponent(first)}`);
      await waitFor('the next run', async () => !(await idsOf('/old')).includes(first));
      await bed.marathon().settled('/old', 3);
      const after = await bed.running();
      expect(after.size).toBe(before.size);

      await Promise.all(bed.servers.map(({ process }) => process.stop()));
      await emptyEtcd(bed);
      expect(await berth('restore', backup)).toContain('records are restored');
      for (const server of bed.servers) server.start();
      await allWell(bed);
      await bed.marathon().settled('/old', 3);
      await bed.marathon().settled('/new', 2);
      await holdsFor(bed, after, 30_000);
      expect(await bed.running()).toEqual(after);
      await orphansAre(bed, []);
      // The note of the restored backup is gone, and work goes on.
      await waitFor('the note to be removed', async () => (await bed.etcd[0]?.ctl('get', '/berth/restored')) === '');
      await bed.marathon().ok('PUT', '/v2/apps/new', { instances: 3 });
      await bed.marathon().settled('/new', 3);
    },
    TEST_MS,
  );

  async function berth(...args: readonly string[]): Promise<string> {
    const env = { ...process.env, BERTH_ETCD_ENDPOINTS: bed.etcd.map(({ endpoint }) => endpoint).join(',') };
    const { stdout } = await run(process.execPath, [MAIN, ...args], { env, timeout: 60_000 });
    return stdout;
  }

  async function allRecords(): Promise<Map<string, string>> {
    const text = (await bed.etcd[0]?.ctl('get', '--prefix', '/berth/v1/')) ?? '';
    const lines = text.split('\n');
    const found = new Map<string, string>();
    for (let at = 0; at + 1 < lines.length; at += 2) found.set(lines[at] ?? '', lines[at + 1] ?? '');
    return found;
  }
});
