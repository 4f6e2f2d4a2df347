import { FakeClock } from '../../support/fakes';
import { waitFor } from '../../support/wait';
import { LIMITS } from '../../../src/core/limits';
import { APPS, appObject, type Body, instance, KubeWorld, task, TOKEN } from './world';

const GROUP = '/apis/apps.berth.dev/v1';
interface WatchEvent {
  readonly type: string;
  readonly object: Body;
}

/** A watch that is read as it comes. */
class Reader {
  readonly events: WatchEvent[] = [];
  status = 0;
  ended = false;
  private readonly stopper = new AbortController();

  constructor(
    private readonly world: KubeWorld,
    path: string,
    headers: Record<string, string> = {},
  ) {
    void this.read(path, headers).catch(() => undefined);
  }

  types(): string[] {
    return this.events.map(({ type, object }) => `${type} ${object.metadata.name}`);
  }

  async until(count: number): Promise<string[]> {
    await waitFor(`${count} events, have ${this.types().join()}`, () => this.events.length >= count, 5_000, 5);
    return this.types();
  }

  stop(): void {
    this.stopper.abort();
  }

  private async read(path: string, headers: Record<string, string>): Promise<void> {
    const response = await fetch(this.world.url + path, {
      headers: { Authorization: `Bearer ${TOKEN}`, ...headers },
      signal: this.stopper.signal,
    });
    this.status = response.status;
    const decoder = new TextDecoder();
    let rest = '';
    for await (const chunk of response.body ?? []) {
      rest += decoder.decode(chunk as Uint8Array, { stream: true });
      const lines = rest.split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) this.events.push(JSON.parse(line) as WatchEvent);
    }
    this.ended = true;
  }
}

let world: KubeWorld;
const readers: Reader[] = [];
function watch(path: string, headers?: Record<string, string>): Reader {
  const reader = new Reader(world, path, headers);
  readers.push(reader);
  return reader;
}
afterEach(async () => {
  for (const reader of readers.splice(0)) reader.stop();
  await world.close();
});
const open = (count = 1) => waitFor('the stream', () => world.streams.size === count, 5_000, 5);
async function create(name: string, labels: Record<string, string> = {}) {
  const { status, text, body } = await world.call('POST', APPS, appObject(name, {}, { labels }));
  if (status !== 201) throw new Error(text);
  return body.metadata.resourceVersion;
}
const label = (name: string, labels: Record<string, string | null>) =>
  world.call('PATCH', `${APPS}/${name}`, { metadata: { labels } }, { 'Content-Type': 'application/merge-patch+json' });

describe('watch', () => {
  beforeEach(async () => {
    world = await KubeWorld.start({ history: 20 });
  });

  test('without a version: what is there, then what changes', async () => {
    await create('a');
    const reader = watch(`${APPS}?watch=true`);
    expect(await reader.until(1)).toEqual(['ADDED a']);
    await create('b');
    await label('a', { x: 'y' });
    expect(await reader.until(3)).toEqual(['ADDED a', 'ADDED b', 'MODIFIED a']);
  });

  test('from a version: everything after it, nothing twice', async () => {
    const version = await create('a');
    await create('b');
    await label('b', { x: 'y' });
    const reader = watch(`${APPS}?watch=true&resourceVersion=${version}`);
    expect(await reader.until(2)).toEqual(['ADDED b', 'MODIFIED b']);
    const last = reader.events[1]?.object.metadata.resourceVersion ?? '';
    const later = watch(`${APPS}?watch=true&resourceVersion=${last}`);
    await open(2);
    await create('c');
    expect(await later.until(1)).toEqual(['ADDED c']);
  });

  test('a deletion has the last object at the revision of its end', async () => {
    await create('a');
    const reader = watch(`${APPS}?watch=true`);
    await reader.until(1);
    await world.endRollouts();
    await world.call('DELETE', `${APPS}/a`);
    await world.finishDeletion('a');
    expect(await reader.until(3)).toEqual(['ADDED a', 'MODIFIED a', 'DELETED a']);
    const versions = reader.events.map(({ object }) => Number(object.metadata.resourceVersion));
    expect(versions).toEqual([...versions].sort((x, y) => x - y));
    expect(new Set(versions).size).toBe(3);
  });

  test('what begins to match is ADDED, what ceases to match is DELETED', async () => {
    await create('a', { tier: 'front' });
    await create('b');
    const reader = watch(`${APPS}?watch=true&labelSelector=tier%3Dfront`);
    await reader.until(1);
    await label('b', { tier: 'front' });
    await label('a', { tier: 'back' });
    await label('a', { other: 'x' });
    await label('b', { other: 'x' });
    expect(await reader.until(4)).toEqual(['ADDED a', 'ADDED b', 'DELETED a', 'MODIFIED b']);
  });

  test('of one object by name, and of one namespace', async () => {
    const byName = watch(`${APPS}?watch=true&fieldSelector=metadata.name%3Db`);
    const single = watch(`${APPS}/b?watch=1`);
    const elsewhere = watch(`${GROUP}/namespaces/prod/apps?watch=true`);
    await open(3);
    await create('a');
    await create('b');
    expect(await byName.until(1)).toEqual(['ADDED b']);
    expect(await single.until(1)).toEqual(['ADDED b']);
    expect(elsewhere.events).toEqual([]);
  });

  test('a version that is forgotten is an ERROR with a 410, and the end', async () => {
    await create('a');
    for (let i = 0; i < 30; i++) await label('a', { n: String(i) });
    const reader = watch(`${APPS}?watch=true&resourceVersion=1`);
    await waitFor('the end', () => reader.ended, 5_000, 5);
    expect(reader.status).toBe(200);
    expect(reader.events).toMatchObject([{ type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired' } }]);
  });

  test('tables: the columns once, then rows', async () => {
    await create('a');
    await create('b');
    const reader = watch(`${APPS}?watch=true`, { Accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' });
    await waitFor('two', () => reader.events.length === 2, 5_000, 5);
    expect(reader.events.map(({ object }) => object.columnDefinitions === null)).toEqual([false, true]);
    expect(reader.events.map(({ object }) => object.rows[0]?.cells[0])).toEqual(['a', 'b']);
  });

  test('sendInitialEvents ends the state with a marked bookmark', async () => {
    await create('a');
    const query = 'watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true';
    const reader = watch(`${APPS}?${query}`);
    await reader.until(2);
    expect(reader.events[1]).toMatchObject({
      type: 'BOOKMARK',
      object: { kind: 'App', metadata: { annotations: { 'k8s.io/initial-events-end': 'true' } } },
    });
  });

  test('an instance changes when its task does', async () => {
    await world.write(instance('web', 'one'));
    const reader = watch(`${GROUP}/instances?watch=true`);
    await reader.until(1);
    await world.write(task('a1', 'web', 'one', 'TASK_RUNNING'));
    await reader.until(2);
    expect(reader.events[1]).toMatchObject({ type: 'MODIFIED', object: { status: { condition: 'Running' } } });
    const { body } = await world.call('GET', `${GROUP}/namespaces/default/instances/web.instance-one`);
    expect(body.metadata.resourceVersion).toBe(reader.events[1]?.object.metadata.resourceVersion);
  });

  test('namespaces come with their first app and go with their last', async () => {
    const reader = watch('/api/v1/namespaces?watch=true');
    await reader.until(1);
    const made = await world.call('POST', `${GROUP}/namespaces/prod/apps`, appObject('web', {}, { namespace: 'prod' }));
    expect(made.status).toBe(201);
    await world.endRollouts();
    await world.call('DELETE', `${GROUP}/namespaces/prod/apps/web`);
    await world.finishDeletion('prod/web');
    expect(await reader.until(3)).toEqual(['ADDED default', 'ADDED prod', 'DELETED prod']);
  });

  test.each(['resourceVersion=x', 'timeoutSeconds=x', 'sendInitialEvents=true', 'labelSelector=('])(
    'a bad %s is refused before the stream begins',
    async (query) => {
      expect((await world.call('GET', `${APPS}?watch=true&${query}`)).status).toBe(400);
      expect(world.streams.size).toBe(0);
    },
  );

  test('a client that goes leaves nothing behind', async () => {
    const reader = watch(`${APPS}?watch=true`);
    await open();
    reader.stop();
    await open(0);
  });
});

describe('bounds', () => {
  test('of streams at once', async () => {
    world = await KubeWorld.start({ streams: 1 });
    watch(`${APPS}?watch=true`);
    await open();
    const { status, body } = await world.call('GET', `${APPS}?watch=true`);
    expect(status).toBe(503);
    expect(body).toMatchObject({ kind: 'Status', reason: 'ServiceUnavailable' });
  });

  test('of time: timeoutSeconds, and bookmarks until then', async () => {
    const clock = new FakeClock();
    world = await KubeWorld.start({ clock });
    const version = await create('a');
    const reader = watch(`${APPS}?watch=true&resourceVersion=${version}&timeoutSeconds=90&allowWatchBookmarks=true`);
    await open();
    await world.write(instance('other', 'x'));
    await waitFor('the timers', () => clock.timers >= 2, 5_000, 5);
    clock.advance(LIMITS.watchBookmarkMs);
    await waitFor('a bookmark', () => reader.events.length === 1, 5_000, 5);
    expect(reader.events[0]?.type).toBe('BOOKMARK');
    expect(Number(reader.events[0]?.object.metadata.resourceVersion)).toBe(world.records.revision());
    clock.advance(30_000);
    await waitFor('the end', () => reader.ended, 5_000, 5);
    expect(world.streams.size).toBe(0);
  });
});
