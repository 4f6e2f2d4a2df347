import { connect } from 'node:net';
import { UnavailableError } from '../../../src/core/errors';
import type { StoreFaults } from '../../../src/io/memory/store';
import { waitFor } from '../../support/wait';
import { EventClient } from './event-client';
import { openWorld, type World } from './world';

/** A store that can be taken away: every call fails while it is. */
class Outage implements StoreFaults {
  on = false;
  before(): void {
    if (this.on) throw new UnavailableError('store');
  }
}

describe('while the store is away', () => {
  const outage = new Outage();
  let world: World;
  beforeEach(async () => {
    outage.on = false;
    world = await openWorld(outage);
    await world.ask('POST', '/v2/apps', { id: '/web', cmd: 'sleep 1' });
    outage.on = true;
    world.store.failWatches(new UnavailableError('store'));
    await waitFor('the mirror to notice', () => !world.records.isFresh());
  });
  afterEach(async () => {
    outage.on = false;
    await world.close();
  });

  test('reads go on and say that they may be stale', async () => {
    const { status, headers, body } = await world.ask('GET', '/v2/apps/web');
    expect([status, headers.get('warning')]).toEqual([200, '110 berth "Response is Stale"']);
    expect(body).toMatchObject({ app: { id: '/web' } });
  });

  test.each([
    ['POST', '/v2/apps', { id: '/new', cmd: 'sleep 1' }],
    ['PUT', '/v2/apps/web?force=true', { instances: 2 }],
    ['PUT', '/v2/apps/new', { cmd: 'sleep 1' }],
    ['DELETE', '/v2/apps/web', undefined],
    ['GET', '/v2/apps/unknown', undefined],
  ])('%s %s is 503 and says when to come again', async (method, path, body) => {
    const { status, headers, body: answer } = await world.ask(method, path, body);
    expect([status, headers.get('retry-after'), answer]).toEqual([
      503,
      '1',
      { message: expect.stringContaining('unavailable') as string },
    ]);
  });

  test('event streams stay open, and tell what happened when the store is back', async () => {
    const client = await EventClient.open(world.url);
    await client.seen('event_stream_attached');
    outage.on = false;
    await waitFor('the mirror to be back', () => world.records.isFresh());
    await world.ask('POST', '/v2/apps', { id: '/later', cmd: 'sleep 1' });
    await client.seen('api_post_event');
    client.close();
  });
});

describe('clients that do not behave', () => {
  test('one that goes away in the middle of a list does no harm', async () => {
    const world = await openWorld();
    for (const group of ['a', 'b', 'c']) {
      const labels = { big: 'y'.repeat(10_000) };
      const batch = Array.from({ length: 40 }, (_, i) => ({ id: `/${group}${i}`, cmd: 'x', labels }));
      expect((await world.ask('PUT', '/v2/apps', batch)).status).toBe(200);
    }
    for (let i = 0; i < 5; i += 1) await leaveEarly(Number(new URL(world.url).port));
    const { status, body } = await world.ask('GET', '/v2/apps');
    expect([status, (body as { apps: unknown[] }).apps.length]).toEqual([200, 120]);
    await world.close();
  });
});

/** Asks for the list and is gone as soon as the first bytes are there. */
function leaveEarly(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('GET /v2/apps HTTP/1.1\r\nHost: x\r\n\r\n'));
    socket.once('data', () => socket.destroy());
    socket.once('close', () => resolve());
    socket.once('error', reject);
  });
}
