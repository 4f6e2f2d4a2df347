import { mkdirSync } from 'node:fs';
import { waitFor } from '../support/wait';
import { exampleFiles, IMAGE, startWorld, webApp, type World } from './world';

let world: World;
beforeAll(async () => {
  world = await startWorld();
}, 120_000);
afterAll(async () => world.stop(), 120_000);

/** The file as it stands, with an image and host paths that exist here. */
function localised(app: Record<string, unknown>): Record<string, unknown> {
  const copy = structuredClone(app) as {
    cmd?: string;
    args?: string[];
    container?: { docker: { image: string; forcePullImage?: boolean }; volumes?: { hostPath: string }[] };
  };
  if (copy.container !== undefined) {
    copy.container.docker.image = IMAGE;
    for (const volume of copy.container.volumes ?? []) {
      volume.hostPath = `${world.cluster.dir}${volume.hostPath}`;
      mkdirSync(volume.hostPath, { recursive: true });
    }
  }
  // What the images would have done: the local one has only a shell.
  if (copy.args !== undefined) copy.args = ['sleep', '1000'];
  else copy.cmd = 'sleep 1000';
  return copy;
}

const ODD = new Set(['basic-0.json', 'privileged-job.json', 'force-pull.json']);

describe('app definitions of Marathon users', () => {
  test.each([...exampleFiles().keys()].filter((file) => !ODD.has(file)))(
    '%s ends running',
    async (file) => {
      const app = localised(exampleFiles().get(file) ?? {});
      const created = await world.marathon.call('POST', '/v2/apps', app);
      expect(created.status).toBe(201);
      const id = (created.body as { id: string }).id;
      const instances = Number(app['instances'] ?? 1);
      if (file !== 'bridged-webapp.json') await world.marathon.settled(id, instances);
      else await waitFor('both to run', async () => (await world.marathon.tasks(id)).length === instances);
      await world.marathon.ok('DELETE', `/v2/apps${id}`);
      await world.marathon.gone(id);
      expect(await world.containers()).toEqual(new Map());
    },
    90_000,
  );

  test('privileged-job.json is accepted and its task fails with a reason that names the option', async () => {
    const app = localised(exampleFiles().get('privileged-job.json') ?? {});
    expect((await world.marathon.call('POST', '/v2/apps', app)).status).toBe(201);
    const failure = await waitFor(
      'a failure',
      async () => (await world.marathon.app('/privileged-job')).lastTaskFailure,
    );
    expect(failure.message).toMatch(/lxc-conf|volumes-from/);
    await world.marathon.ok('DELETE', '/v2/apps/privileged-job');
    await world.marathon.gone('/privileged-job');
  }, 60_000);

  test('force-pull.json pulls although the image is here, and says what the registry said', async () => {
    const app = localised(exampleFiles().get('force-pull.json') ?? {});
    expect((await world.marathon.call('POST', '/v2/apps', app)).status).toBe(201);
    const failure = await waitFor('a failure', async () => (await world.marathon.app('/force-pull')).lastTaskFailure);
    expect(failure.message).toContain(IMAGE);
    await world.marathon.ok('DELETE', '/v2/apps/force-pull');
    await world.marathon.gone('/force-pull');
  }, 60_000);

  test('basic-0.json has no image: it waits and the queue says why', async () => {
    expect((await world.marathon.call('POST', '/v2/apps', exampleFiles().get('basic-0.json'))).status).toBe(201);
    const described = await waitFor('an explanation', async () => {
      const app = JSON.stringify(await world.marathon.ok('GET', '/v2/queue'));
      return app.includes('/basic-0') && !app.includes('"processedOffersCount":0') ? app : undefined;
    });
    expect(described).toContain('UnfulfilledConstraint');
    await world.marathon.ok('DELETE', '/v2/apps/basic-0');
    await world.marathon.gone('/basic-0');
  }, 60_000);
});

describe('an app through its life', () => {
  test('starts, answers, scales, rolls within its upgrade strategy, and leaves nothing', async () => {
    const { marathon } = world;
    expect((await marathon.call('POST', '/v2/apps', webApp('/life', { instances: 2 }))).status).toBe(201);
    const started = await marathon.settled('/life', 2);
    await waitFor('healthy', async () => (await marathon.app('/life')).tasksHealthy === 2);
    for (const task of started.tasks) {
      const answer = await fetch(`http://127.0.0.1:${task.ports[0]}/`, { signal: AbortSignal.timeout(5_000) });
      expect((await answer.text()).trim()).toBe(task.id);
    }

    await marathon.ok('PUT', '/v2/apps/life', { instances: 5 });
    await marathon.settled('/life', 5);
    const kept = new Set((await marathon.tasks('/life')).map((task) => task.id));
    expect(started.tasks.every((task) => kept.has(task.id))).toBe(true);
    await waitFor('all healthy', async () => (await marathon.app('/life')).tasksHealthy === 5);

    await marathon.ok('PUT', '/v2/apps/life', {
      env: { COLOUR: 'green' },
      upgradeStrategy: { minimumHealthCapacity: 0.6, maximumOverCapacity: 0.2 },
    });
    const seen: { healthy: number; total: number }[] = [];
    await waitFor(
      'the rollout to end',
      async () => {
        const app = await marathon.app('/life');
        seen.push({ healthy: app.tasksHealthy, total: app.tasks.length });
        return app.deployments.length === 0;
      },
      90_000,
      20,
    );
    expect(Math.min(...seen.map((sample) => sample.healthy))).toBeGreaterThanOrEqual(3);
    expect(Math.max(...seen.map((sample) => sample.total))).toBeLessThanOrEqual(6);
    const rolled = await marathon.settled('/life', 5);
    expect(rolled.tasks.every((task) => !kept.has(task.id) && task.version === rolled.version)).toBe(true);

    await marathon.ok('POST', '/v2/apps/life/restart?force=true');
    await waitFor(
      'restarted',
      async () => (await marathon.tasks('/life')).every((task) => !rolled.tasks.some((old) => old.id === task.id)),
      90_000,
    );
    await marathon.settled('/life', 5);

    await marathon.ok('DELETE', '/v2/apps/life');
    await marathon.gone('/life');
    expect(await world.containers()).toEqual(new Map());
  }, 300_000);

  test('docker rm -f of a container: replaced after a back-off, and the reason is told', async () => {
    const { marathon } = world;
    await marathon.ok('POST', '/v2/apps', webApp('/removed', { healthChecks: [] }));
    const before = (await marathon.settled('/removed', 1)).tasks[0];
    const id = (await world.containers()).get(before?.id ?? '');
    await world.docker.getContainer(id ?? '').remove({ force: true });
    const failure = await waitFor(
      'the failure to be told',
      async () => (await marathon.app('/removed')).lastTaskFailure,
    );
    expect(failure.taskId).toBe(before?.id);
    expect(failure.message).not.toBe('');
    const after = await waitFor('a replacement', async () =>
      (await marathon.tasks('/removed')).find((task) => task.id !== before?.id),
    );
    expect((await world.containers()).has(after.id)).toBe(true);
    await marathon.ok('DELETE', '/v2/apps/removed');
    await marathon.gone('/removed');
  }, 90_000);

  test('an unhealthy task is replaced', async () => {
    const { marathon } = world;
    await marathon.ok(
      'POST',
      '/v2/apps',
      webApp('/sick', {
        healthChecks: [
          {
            protocol: 'COMMAND',
            command: { value: 'test ! -e /tmp/sick' },
            gracePeriodSeconds: 1,
            intervalSeconds: 1,
            timeoutSeconds: 5,
            maxConsecutiveFailures: 2,
            delaySeconds: 0,
          },
        ],
      }),
    );
    const before = (await marathon.settled('/sick', 1)).tasks[0];
    await waitFor('healthy', async () => (await marathon.app('/sick')).tasksHealthy === 1);
    const container = world.docker.getContainer((await world.containers()).get(before?.id ?? '') ?? '');
    const exec = await container.exec({ Cmd: ['touch', '/tmp/sick'] });
    await exec.start({ Detach: true });
    await waitFor('a healthy replacement', async () => {
      const app = await marathon.app('/sick');
      return app.tasksHealthy === 1 && app.tasks.every((task) => task.id !== before?.id);
    });
    await marathon.ok('DELETE', '/v2/apps/sick');
    await marathon.gone('/sick');
  }, 90_000);

  test('an app that fits nowhere says why, with counts per reason', async () => {
    const { marathon } = world;
    await marathon.ok('POST', '/v2/apps', webApp('/big', { cpus: 1_000 }));
    const item = await waitFor('reasons', async () => {
      const { queue } = (await marathon.ok('GET', '/v2/queue?embed=lastUnusedOffers')) as { queue: QueueItem[] };
      const found = queue.find((candidate) => candidate.app.id === '/big');
      return found !== undefined && found.processedOffersSummary.processedOffersCount > 0 ? found : undefined;
    });
    const row = item.processedOffersSummary.rejectSummaryLastOffers.find(({ reason }) => reason === 'InsufficientCpus');
    expect(row).toEqual({ reason: 'InsufficientCpus', declined: 1, processed: 1 });
    await marathon.ok('DELETE', '/v2/apps/big?force=true');
    await marathon.gone('/big');
  }, 60_000);
});

interface QueueItem {
  readonly app: { readonly id: string };
  readonly processedOffersSummary: {
    readonly processedOffersCount: number;
    readonly rejectSummaryLastOffers: readonly {
      readonly reason: string;
      readonly declined: number;
      readonly processed: number;
    }[];
  };
}
