import { waitFor } from '../../support/wait';
import { leaderAt, openWorld, type World } from './world';

let world: World;
beforeEach(async () => {
  world = await openWorld();
});
afterEach(() => world.close());

describe('info, leader, ping', () => {
  test('/v2/info has what client libraries read', async () => {
    const { body } = await world.ask('GET', '/v2/info');
    expect(body).toMatchObject({
      name: 'marathon',
      version: expect.stringMatching(/^1\.(?:[5-9]|\d\d)\.\d+$/) as string,
      elected: true,
      leader: world.url.replace('http://', ''),
      frameworkId: 'framework-1',
      marathon_config: { mesos_leader_ui_url: 'http://127.0.0.1:5050', local_port_min: 10_000, local_port_max: 20_000 },
      zookeeper_config: { zk: 'http://127.0.0.1:2379', zk_timeout: expect.any(Number) as number },
      http_config: { http_port: Number(new URL(world.url).port), https_port: null },
    });
  });

  test.each([
    [undefined, 200, 'text/plain; charset=utf-8', 'pong'],
    ['text/plain', 200, 'text/plain; charset=utf-8', 'pong'],
    ['application/json', 200, 'application/json; charset=utf-8', '"pong"'],
    ['image/png', 204, null, ''],
  ])('/ping with Accept %s', async (accept, status, type, text) => {
    const answer = await world.ask('GET', '/ping', undefined, accept === undefined ? {} : { accept });
    expect([answer.status, answer.headers.get('content-type'), answer.text]).toEqual([status, type, text]);
  });

  test('standard headers', async () => {
    const { headers } = await world.ask('GET', '/v2/apps');
    expect(Object.fromEntries(headers)).toMatchObject({
      'x-marathon-leader': world.url,
      'x-frame-options': 'DENY',
      'x-xss-protection': '1; mode=block',
      'cache-control': 'no-cache, no-store, must-revalidate',
      pragma: 'no-cache',
      expires: '0',
    });
    for (const name of ['x-powered-by', 'etag']) expect(headers.has(name)).toBe(false);
  });

  test('the leader gives up leadership after it has said so', async () => {
    expect((await world.ask('GET', '/v2/leader')).body).toEqual({ leader: world.url.replace('http://', '') });
    const { status, body } = await world.ask('DELETE', '/v2/leader');
    expect([status, body, world.abdications()]).toEqual([200, { message: 'Leadership abdicated' }, 0]);
    await waitFor('abdication', () => world.abdications() === 1);
  });

  test('a standby passes that on to the leader', async () => {
    const standby = await world.replica({ leader: () => leaderAt(world.url.replace('http://', '')) });
    const { status, body, headers } = await standby.ask('DELETE', '/v2/leader');
    expect([status, body]).toEqual([200, { message: 'Leadership abdicated' }]);
    expect(headers.get('x-marathon-via')).toBe(`1.1 ${standby.url.replace('http://', '')}`);
    await waitFor('abdication', () => world.abdications() === 1);
    expect(standby.abdications()).toBe(0);
  });

  test('nobody leads', async () => {
    const standby = await world.replica({ leader: () => undefined });
    const read = await standby.ask('GET', '/v2/leader');
    const remove = await standby.ask('DELETE', '/v2/leader');
    expect([read.status, read.body]).toEqual([404, { message: 'There is no leader' }]);
    expect([remove.status, remove.body]).toEqual([502, { message: 'Could not determine the current leader' }]);
    expect((await standby.ask('GET', '/v2/apps')).headers.has('x-marathon-leader')).toBe(false);
  });
});

describe('a second replica', () => {
  test('serves writes, and reads what the other has just written', async () => {
    const other = await world.replica({ leader: () => leaderAt(world.url.replace('http://', '')) });
    for (let i = 0; i < 20; i += 1) {
      expect((await world.ask('POST', '/v2/apps', { id: `/web-${i}`, cmd: 'sleep 1' })).status).toBe(201);
      expect((await other.ask('GET', `/v2/apps/web-${i}`)).status).toBe(200);
      expect((await other.ask('PUT', `/v2/apps/web-${i}?force=true`, { instances: 3 })).status).toBe(200);
      expect((await world.ask('DELETE', `/v2/apps/web-${i}`)).status).toBe(200);
    }
  });
});
