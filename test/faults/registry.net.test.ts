import { Proxy } from '../support/proxy';
import { waitFor } from '../support/wait';
import { IMAGE, Testbed } from '../testbed/testbed';
import {
  failureOf,
  longestPause,
  on,
  PATIENCE_MS,
  queued,
  recordsEqualEngines,
  removeApps,
  sleeper,
  SMALL_BED,
} from './docker-apps';
import { describeLong } from './suite';

/** A launch may take so long, the pull not counted. */
const LAUNCH_SECONDS = 15;
/** Each answer of the slow registry is late by twice as much; Docker gives up at 15 s for one. */
const SLOW_MS = 4_000;
/** Of no image. */
const WRONG_DIGEST = `sha256:${'0'.repeat(64)}`;

/** Images that cannot be had. The host that pulls is never the one that has pushed. */
describeLong('the registry of the test bed', () => {
  let bed: Testbed;
  const proxies: Proxy[] = [];
  beforeAll(async () => {
    bed = await Testbed.up({ ...SMALL_BED, serverFlags: [`--task-launch-timeout=${LAUNCH_SECONDS}secs`] });
  });
  afterEach(async () => {
    bed.registry.process.start();
    await bed.registry.ready();
    bed.registry.login();
    await recordsEqualEngines(bed);
    await removeApps(bed);
    await Promise.all(proxies.splice(0).map((proxy) => proxy.close()));
  });
  afterAll(async () => {
    await bed.down();
    expect(bed.leftovers()).toEqual([]);
  });

  const push = async (name: string): Promise<string> => {
    const [host] = bed.hosts;
    if (host === undefined) throw new Error('no host');
    return bed.registry.push(host.docker, IMAGE, name);
  };
  const pulling = (id: string, image: string) =>
    sleeper(id, {
      ...on('a2'),
      backoffFactor: 2,
      maxLaunchDelaySeconds: 8,
      container: { type: 'DOCKER', docker: { image, network: 'BRIDGE' } },
    });
  const inFront = async (): Promise<Proxy> => {
    const proxy = await Proxy.start(`http://${bed.registry.host}`, '0.0.0.0', bed.network.runnerAddress);
    proxies.push(proxy);
    bed.registry.login(bed.registry.password, [new URL(proxy.endpoint).host]);
    return proxy;
  };

  test('wrong login: the failure says so; the right one is used without a restart of the agent', async () => {
    await push('berth/secret:1');
    bed.registry.login('wrong');
    await bed.marathon().ok('POST', '/v2/apps', pulling('/secret', `${bed.registry.host}/berth/secret:1`));
    const failure = await failureOf(bed, '/secret', /Failed to pull image .*(unauthorized|no basic auth)/);
    expect(failure).toMatchObject({ state: 'TASK_FAILED', message: expect.stringContaining('berth/secret:1') });
    bed.registry.login();
    await bed.marathon().settled('/secret', 1, PATIENCE_MS);
  });

  test('down: every launch says so, the pauses grow, and the app runs when the registry is back', async () => {
    await push('berth/down:1');
    await bed.registry.process.kill();
    await bed.marathon().ok('POST', '/v2/apps', pulling('/down', `${bed.registry.host}/berth/down:1`));
    const failure = await failureOf(bed, '/down', /Failed to pull image .*connection refused/);
    expect(failure.state).toBe('TASK_FAILED');
    expect(await longestPause(bed, '/down', 4)).toBeGreaterThanOrEqual(3);
    expect((await queued(bed, '/down'))?.message).toMatch(/Failed to pull image/);
    bed.registry.process.start();
    await bed.marathon().settled('/down', 1, PATIENCE_MS);
  });

  test('no login at all: the failure says so', async () => {
    await push('berth/open:1');
    const proxy = await inFront();
    bed.registry.login();
    const image = `${new URL(proxy.endpoint).host}/berth/open:1`;
    await bed.marathon().ok('POST', '/v2/apps', pulling('/open', image));
    await failureOf(bed, '/open', /Failed to pull image .*(unauthorized|no basic auth)/);
  });

  test.each([
    ['wrong digest', (host: string) => `${host}/berth/right@${WRONG_DIGEST}`],
    ['unknown tag', (host: string) => `${host}/berth/right:none`],
  ])('%s: the failure names the image; the right one starts at once', async (_, wrong) => {
    const digest = await push('berth/right:1');
    const { host } = bed.registry;
    await bed.marathon().ok('POST', '/v2/apps', pulling('/right', wrong(host)));
    const failure = await failureOf(bed, '/right', /Failed to pull image .*manifest unknown/);
    expect(failure.message).toContain(wrong(host));
    expect(await longestPause(bed, '/right', 3)).toBeGreaterThanOrEqual(2);
    await bed.marathon().ok('PUT', '/v2/apps/right?force=true', pulling('/right', `${host}/berth/right@${digest}`));
    await bed.marathon().settled('/right', 1, PATIENCE_MS);
  });

  test('slower than a launch may take: a pull has its own time, and the start after it, too', async () => {
    await push('berth/slow:1');
    const proxy = await inFront();
    proxy.delayMs = () => SLOW_MS;
    const startedMs = performance.now();
    await bed.marathon().ok('POST', '/v2/apps', pulling('/slow', `${new URL(proxy.endpoint).host}/berth/slow:1`));
    await bed.marathon().settled('/slow', 1, 3 * PATIENCE_MS);
    // Else the pull was not slow, and this test says nothing.
    expect(performance.now() - startedMs).toBeGreaterThan(LAUNCH_SECONDS * 1_000);
    expect((await bed.marathon().app('/slow')).lastTaskFailure).toBeUndefined();
  }, 240_000);

  test('silent: the launch fails in words when Docker gives up, and runs when the registry speaks again', async () => {
    await push('berth/silent:1');
    const proxy = await inFront();
    proxy.freeze();
    await bed.marathon().ok('POST', '/v2/apps', pulling('/silent', `${new URL(proxy.endpoint).host}/berth/silent:1`));
    await failureOf(bed, '/silent', /Failed to pull image .*(Timeout|deadline) exceeded/);
    proxy.heal();
    await bed.marathon().settled('/silent', 1, PATIENCE_MS);
  });

  test('an image that is there needs no registry', async () => {
    await push('berth/kept:1');
    const image = `${bed.registry.host}/berth/kept:1`;
    await bed.marathon().ok('POST', '/v2/apps', pulling('/kept', image));
    const [before] = (await bed.marathon().settled('/kept', 1, PATIENCE_MS)).tasks;
    await bed.registry.process.kill();
    await bed.marathon().ok('DELETE', `/v2/apps/kept/tasks/${before?.id}`);
    await waitFor(
      'another task',
      async () => {
        const { tasks } = await bed.marathon().settled('/kept', 1, PATIENCE_MS);
        return tasks[0]?.id !== before?.id;
      },
      PATIENCE_MS,
    );
    expect((await bed.marathon().app('/kept')).lastTaskFailure).toBeUndefined();
  });
});
