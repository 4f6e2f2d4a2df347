import { request as httpRequest, type IncomingMessage } from 'node:http';
import { createServer } from 'node:net';
import { readBody } from '../../../src/api/http/body';
import { BadGatewayError, forwardToLeader, type ForwardOptions } from '../../../src/api/http/proxy';
import { errorHandler } from '../../../src/api/http/errors';
import express from 'express';
import { listen } from '../../../src/api/http/listen';
import { silentLogger } from '../../support/fakes';
import { serve } from './server';

async function standby(options: Omit<ForwardOptions, 'self'> & { readonly self?: string }) {
  const app = express();
  app.use((request, response) => forwardToLeader(request, response, { self: 'standby:8080', ...options }));
  app.use(
    errorHandler(
      silentLogger(),
      (error) => ({ status: error === undefined ? 500 : 502, body: { message: error?.message } }),
      (error) => error instanceof BadGatewayError,
    ),
  );
  const server = await listen(app, { host: '127.0.0.1', port: 0 });
  return { ...server, url: `http://127.0.0.1:${server.port}` };
}

describe('forwardToLeader', () => {
  test('sends the call on with credentials and body, and the answer back', async () => {
    const leader = await serve((app) =>
      app.use(async (request, response) => {
        const body = (await readBody(request)).toString();
        const { authorization } = request.headers;
        response
          .status(202)
          .set('Marathon-Deployment-Id', 'abc')
          .json({ method: request.method, url: request.originalUrl, body, authorization, headers: request.headers });
      }),
    );
    const server = await standby({ leader: `127.0.0.1:${leader.port}` });
    const answer = await fetch(`${server.url}/v2/leader?x=1`, {
      method: 'DELETE',
      body: 'text',
      headers: { authorization: 'Bearer t' },
    });
    expect([answer.status, answer.headers.get('marathon-deployment-id')]).toEqual([202, 'abc']);
    expect(answer.headers.get('x-marathon-via')).toBe('1.1 standby:8080');
    expect(await answer.json()).toMatchObject({
      method: 'DELETE',
      url: '/v2/leader?x=1',
      body: 'text',
      authorization: 'Bearer t',
      headers: {
        'x-marathon-via': '1.1 standby:8080',
        'x-forwarded-for': '127.0.0.1',
        host: `127.0.0.1:${leader.port}`,
      },
    });
    await Promise.all([server.close(0), leader.close(0)]);
  });

  test('keeps the frame of a body whose length is not known', async () => {
    const seen: string[] = [];
    const leader = await serve((app) =>
      app.use(async (request, response) => {
        seen.push(`${request.method} ${request.url} ${(await readBody(request)).toString()}`);
        response.end();
      }),
    );
    const server = await standby({ leader: `127.0.0.1:${leader.port}` });
    const body = 'DELETE /v2/apps/smuggled HTTP/1.1\r\nHost: x\r\n\r\n';
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const request = httpRequest(`${server.url}/v2/leader`, { method: 'DELETE', agent: false }, resolve);
      request.setHeader('transfer-encoding', 'chunked').on('error', reject);
      request.end(body);
    });
    answer.resume();
    expect([answer.statusCode, seen]).toEqual([200, [`DELETE /v2/leader ${body}`]]);
    await Promise.all([server.close(0), leader.close(0)]);
  });

  test('cuts an answer that stops in the middle', async () => {
    const leader = await serve((app) =>
      app.use((_request, response) => {
        response.setHeader('content-length', '100');
        response.write('half');
      }),
    );
    const server = await standby({ leader: `127.0.0.1:${leader.port}`, answerMs: 200 });
    await expect(fetch(server.url).then((answer) => answer.text())).rejects.toThrow();
    await Promise.all([server.close(0), leader.close(0)]);
  });

  test('says that nobody leads, and finds loops', async () => {
    const cases = [
      { options: { leader: undefined }, headers: {}, message: 'Could not determine the current leader' },
      { options: { leader: 'standby:8080' }, headers: {}, message: 'Detected proxying loop.' },
      {
        options: { leader: 'other:1' },
        headers: { 'x-marathon-via': '1.1 a:1, 1.1 standby:8080' },
        message: 'Detected proxying loop.',
      },
    ];
    for (const { options, headers, message } of cases) {
      const server = await standby(options);
      const answer = await fetch(server.url, { headers });
      expect([answer.status, await answer.json()]).toEqual([502, { message }]);
      await server.close(0);
    }
  });

  test('says that the leader refuses', async () => {
    const closed = await serve(() => undefined);
    await closed.close(0);
    const server = await standby({ leader: `127.0.0.1:${closed.port}` });
    const answer = await fetch(server.url);
    expect([answer.status, await answer.json()]).toEqual([502, { message: 'Connection to leader refused.' }]);
    await server.close(0);
  });

  test('gives up on a leader that does not answer', async () => {
    const silent = createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const address = silent.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    const server = await standby({ leader: `127.0.0.1:${port}`, answerMs: 100 });
    const answer = await fetch(server.url);
    expect([answer.status, await answer.json()]).toEqual([502, { message: 'Connection to leader timed out.' }]);
    await server.close(0);
    silent.close();
  });
});
