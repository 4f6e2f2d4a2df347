import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { NetProbe } from '../../../src/io/wire/net-probe';

const probe = new NetProbe();
const servers: { close(): void; closeAllConnections?(): void }[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections?.();
    server.close();
  }
});

async function serve(handler: RequestListener): Promise<number> {
  const server: Server = createServer(handler);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

function http(port: number, more: { timeoutMs?: number; keepBody?: boolean; path?: string } = {}) {
  return probe.http({ scheme: 'http', host: '127.0.0.1', port, path: '/x', timeoutMs: 2_000, ...more });
}

test.each([200, 204, 302, 404, 503])('tells the status %i', async (status) => {
  const port = await serve((_request, response) => response.writeHead(status).end());
  expect(await http(port)).toMatchObject({ ok: true, status });
});

test('keeps at most 4 KiB of the body, and only when asked', async () => {
  const port = await serve((_request, response) =>
    response.setHeader('content-type', 'text/plain').end('y'.repeat(9_000)),
  );
  expect((await http(port, { keepBody: true })).body).toBe('y'.repeat(4_096));
  expect(await http(port)).toEqual({ ok: true, status: 200, contentType: 'text/plain' });
});

test('nobody listens', async () => {
  const port = await serve(() => undefined);
  await new Promise((resolve) => (servers.pop() as Server).close(resolve));
  expect(await http(port)).toEqual({ ok: false, cause: 'connection refused' });
  expect(await probe.tcp({ host: '127.0.0.1', port, timeoutMs: 2_000 })).toEqual({
    ok: false,
    cause: 'connection refused',
  });
});

test('no answer in time', async () => {
  const port = await serve(() => undefined);
  expect(await http(port, { timeoutMs: 50 })).toEqual({ ok: false, cause: 'no answer within 50 ms' });
});

test('what is no HTTP is an answer in words, not a crash', async () => {
  const server = createTcpServer((socket) => socket.on('error', () => undefined).end('SSH-2.0\r\n'));
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  expect(await http(port)).toMatchObject({ ok: false, cause: expect.stringMatching(/./) as unknown });
  expect(await probe.tcp({ host: '127.0.0.1', port, timeoutMs: 2_000 })).toEqual({ ok: true });
});
