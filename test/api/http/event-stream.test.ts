import { connect } from 'node:net';
import { sseFrame, StreamRegistry, type BoundedStream, type StreamOptions } from '../../../src/api/http/event-stream';
import type { Listening } from '../../../src/api/http/listen';
import { FakeClock, silentLogger } from '../../support/fakes';
import { waitFor } from '../../support/wait';
import { serve } from './server';

const HEADERS = { 'Content-Type': 'text/event-stream' };

interface World {
  readonly server: Listening & { readonly url: string };
  readonly registry: StreamRegistry;
  readonly clock: FakeClock;
  readonly streams: BoundedStream[];
}

async function world(options: Partial<StreamOptions> = {}, limit = 3): Promise<World> {
  const clock = new FakeClock();
  const registry = new StreamRegistry(clock, silentLogger(), limit);
  const streams: BoundedStream[] = [];
  const server = await serve((app) =>
    app.use((request, response) => {
      streams.push(registry.start(request, response, { headers: HEADERS, ...options }));
    }),
  );
  return { server, registry, clock, streams };
}

function only(streams: readonly BoundedStream[]): BoundedStream {
  const [stream] = streams;
  if (stream === undefined || streams.length !== 1) throw new Error(`${streams.length} streams`);
  return stream;
}

describe('StreamRegistry', () => {
  test('sends chunks in order, then ends', async () => {
    const { server, registry, streams } = await world();
    const answer = await fetch(server.url);
    expect(answer.headers.get('content-type')).toBe('text/event-stream');
    only(streams).send(sseFrame('a', '{}'));
    only(streams).send('b\n');
    registry.closeAll();
    expect(await answer.text()).toBe('event: a\r\ndata: {}\r\n\r\nb\n');
    expect([registry.size, only(streams).isOpen, only(streams).send('late')]).toEqual([0, false, false]);
    await server.close(0);
  });

  test('keeps a silent stream alive, and only a silent one', async () => {
    const { server, registry, clock, streams } = await world({ keepAlive: '\r\n', keepAliveMs: 10_000 });
    const answer = await fetch(server.url);
    clock.advance(9_999);
    only(streams).send('x');
    clock.advance(9_999);
    clock.advance(1);
    clock.advance(10_000);
    registry.closeAll();
    expect(await answer.text()).toBe('x\r\n\r\n');
    expect(clock.timers).toBe(0);
    await server.close(0);
  });

  test('notices that the client has gone', async () => {
    const { server, registry, streams } = await world();
    const abort = new AbortController();
    await fetch(server.url, { signal: abort.signal });
    const reasons: string[] = [];
    only(streams).onClose((reason) => reasons.push(reason));
    abort.abort();
    await waitFor('the stream to close', () => registry.size === 0);
    only(streams).onClose((reason) => reasons.push(`late: ${reason}`));
    expect(reasons).toEqual(['the client has gone', 'late: the client has gone']);
    await server.close(0);
  });

  test.each([
    { name: 'events', options: { outstandingEvents: 50 }, chunk: 'x'.repeat(200_000) },
    { name: 'bytes', options: { outstandingBytes: 20_000_000 }, chunk: 'x'.repeat(1_000_000) },
  ])('cuts off a client that does not read, by $name', async ({ options, chunk }) => {
    const { server, streams } = await world(options);
    const socket = connect(server.port, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n'));
    socket.pause();
    socket.on('error', () => undefined);
    const stream = await waitFor('the stream', () => streams[0]);
    let reason = '';
    stream.onClose((why) => (reason = why));
    let sent = 0;
    while (stream.send(chunk) && sent < 1_000) sent += 1;
    expect(reason).toBe('too slow: unsent events were over the limit');
    expect(sent).toBeLessThan(1_000);
    socket.destroy();
    await server.close(0);
  });

  test('a client that reads gets more than the limit in all', async () => {
    const { server, registry, streams } = await world({ outstandingEvents: 5 });
    const answer = await fetch(server.url);
    const reader = answer.body?.getReader();
    for (let i = 0; i < 50; i++) {
      expect(only(streams).send('0123456789')).toBe(true);
      await reader?.read();
    }
    registry.closeAll();
    await server.close(0);
  });

  test('refuses what is over the limit of open streams, and takes it again when one has ended', async () => {
    const { server, registry, streams } = await world({}, 1);
    const first = await fetch(server.url);
    expect((await fetch(server.url)).status).toBe(503);
    only(streams).end();
    await first.text();
    expect((await fetch(server.url)).status).toBe(200);
    registry.closeAll();
    await server.close(0);
  });
});
