import { connect } from 'node:net';
import { deflateSync, gzipSync } from 'node:zlib';
import { readBody } from '../../../src/api/http/body';
import type { Listening } from '../../../src/api/http/listen';
import { serve } from './server';

describe('readBody', () => {
  let server: Listening & { readonly url: string };
  beforeAll(async () => {
    server = await serve((app) =>
      app.use(async (request, response) => {
        response.send((await readBody(request, 100, 300)).toString());
      }),
    );
  });
  afterAll(() => server.close(0));

  const post = (body: Buffer, headers: Record<string, string> = {}) =>
    fetch(server.url, { method: 'POST', body, headers, signal: AbortSignal.timeout(5_000) });

  test.each([
    { name: 'plain', body: Buffer.from('hello'), encoding: 'identity' },
    { name: 'gzip', body: gzipSync('hello'), encoding: 'gzip' },
    { name: 'GZIP in capitals', body: gzipSync('hello'), encoding: 'GZIP' },
    { name: 'deflate', body: deflateSync('hello'), encoding: 'deflate' },
  ])('gives the bytes of a $name body', async ({ body, encoding }) => {
    const answer = await post(body, { 'content-encoding': encoding });
    expect([answer.status, await answer.text()]).toEqual([200, 'hello']);
  });

  test('gives nothing for no body', async () => {
    expect(await (await fetch(server.url)).text()).toBe('');
  });

  test.each([
    { name: 'a declared length over the limit', body: Buffer.alloc(101), encoding: 'identity', status: 413 },
    {
      name: 'a small gzip that grows over the limit',
      body: gzipSync(Buffer.alloc(10_000)),
      encoding: 'gzip',
      status: 413,
    },
    { name: 'a broken gzip', body: Buffer.from('no gzip'), encoding: 'gzip', status: 400 },
    { name: 'a cut gzip', body: gzipSync('hello').subarray(0, 12), encoding: 'gzip', status: 400 },
    { name: 'an unknown encoding', body: Buffer.from('x'), encoding: 'br', status: 400 },
  ])('refuses $name', async ({ body, encoding, status }) => {
    expect((await post(body, { 'content-encoding': encoding })).status).toBe(status);
  });

  test('refuses a stream of chunks as soon as it is over the limit, and ends the connection', async () => {
    const answer = await raw(
      server.port,
      `POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n${'a'.repeat(255)}\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1.1 413 /);
    expect(answer).toMatch(/connection: close/i);
  });

  test('refuses a body that does not arrive', async () => {
    const answer = await raw(server.port, 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc');
    expect(answer).toMatch(/^HTTP\/1.1 400 /);
    expect(answer).toContain('did not arrive within 300 ms');
  });
});

/** What the server answers until it ends the connection. */
function raw(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    let answer = '';
    socket.on('data', (chunk) => (answer += chunk.toString()));
    socket.on('close', () => resolve(answer));
    socket.on('error', reject);
    socket.setTimeout(5_000, () => socket.destroy(new Error('no end of the connection')));
  });
}
