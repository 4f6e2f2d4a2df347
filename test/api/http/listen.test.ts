import { X509Certificate } from 'node:crypto';
import { createServer as createTcpServer, connect } from 'node:net';
import { get as httpsGet } from 'node:https';
import { generate } from 'selfsigned';
import { shownAt } from '../../support/tls';
import { listen } from '../../../src/api/http/listen';
import { UnavailableError } from '../../../src/core/errors';
import { waitFor } from '../../support/wait';

describe('listen', () => {
  test('names the port and the process that has it', async () => {
    const first = await listen((_request, response) => response.end(), { host: '127.0.0.1', port: 0 });
    try {
      const second = listen((_request, response) => response.end(), { host: '127.0.0.1', port: first.port });
      await expect(second).rejects.toThrow(UnavailableError);
      await expect(second).rejects.toThrow(
        new RegExp(`^port ${first.port} on 127.0.0.1 is unavailable: in use by .+ \\(pid ${process.pid}\\)$`),
      );
    } finally {
      await first.close(0);
    }
  });

  test('says that an address is not of this host', async () => {
    await expect(listen(() => undefined, { host: '192.0.2.1', port: 0 })).rejects.toThrow(
      'this host has no such address',
    );
  });

  test('close lets a request finish, and its port is free afterwards', async () => {
    let answer: (() => void) | undefined;
    const server = await listen(
      (_request, response) => {
        answer = () => response.end('done');
      },
      { host: '127.0.0.1', port: 0 },
    );
    const request = fetch(`http://127.0.0.1:${server.port}`);
    const release = await waitFor('the request', () => answer);
    const closed = server.close(60_000);
    release();
    expect(await (await request).text()).toBe('done');
    await closed;
    await expect(canBind(server.port)).resolves.toBe(true);
  });

  test('close cuts streams and upgraded connections', async () => {
    const server = await listen((_request, response) => void response.write('begin'), { host: '127.0.0.1', port: 0 });
    server.server.on('upgrade', (_request, socket) => socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n'));
    const stream = await fetch(`http://127.0.0.1:${server.port}`);
    const upgraded = await openUpgrade(server.port);
    await server.close(0);
    await expect(stream.text()).rejects.toThrow();
    await upgraded.closed;
  });

  test('serves TLS', async () => {
    const pems = await generate([{ name: 'commonName', value: 'localhost' }]);
    const server = await listen((_request, response) => response.end('secret'), {
      host: '127.0.0.1',
      port: 0,
      tls: { key: pems.private, cert: pems.cert },
    });
    const text = await new Promise<string>((resolve, reject) => {
      httpsGet({ host: '127.0.0.1', port: server.port, rejectUnauthorized: false, agent: false }, (response) =>
        response.on('data', (chunk) => resolve(String(chunk))),
      ).on('error', reject);
    });
    expect(text).toBe('secret');
    await server.close(0);
  });

  test('another certificate is for connections to come; half a pair is refused', async () => {
    const [first, second] = [await generate(), await generate()];
    const server = await listen((_request, response) => response.end('secret'), {
      host: '127.0.0.1',
      port: 0,
      tls: { key: first.private, cert: first.cert },
    });
    try {
      expect(await shownAt(server.port)).toBe(new X509Certificate(first.cert).fingerprint256);
      expect(() => server.setCertificate({ cert: second.cert, key: first.private })).toThrow('mismatch');
      expect(await shownAt(server.port)).toBe(new X509Certificate(first.cert).fingerprint256);
      server.setCertificate({ cert: second.cert, key: second.private });
      expect(await shownAt(server.port)).toBe(new X509Certificate(second.cert).fingerprint256);
    } finally {
      await server.close(0);
    }
  });
});

function canBind(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createTcpServer();
    probe.on('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}

function openUpgrade(port: number): Promise<{ readonly closed: Promise<void> }> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () =>
      socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: test\r\n\r\n'),
    );
    socket.on('error', reject);
    const closed = new Promise<void>((done) => socket.on('close', () => done()));
    socket.once('data', () => resolve({ closed }));
  });
}
