import { healthRouter, type ReadyCheck } from '../../../src/api/http/health';
import { serve } from './server';

async function ask(path: string, checks: readonly ReadyCheck[]) {
  const server = await serve((app) =>
    app.use(healthRouter({ ready: () => checks, metrics: () => Promise.resolve('berth_up 1\n') })),
  );
  const answer = await fetch(server.url + path);
  const result = { status: answer.status, type: answer.headers.get('content-type'), text: await answer.text() };
  await server.close(0);
  return result;
}

const bad: ReadyCheck = { name: 'etcd', ok: false, message: 'no answer from 127.0.0.1:2379 for 5 s' };
const good: ReadyCheck = { name: 'leader', ok: true, message: '127.0.0.1:8080' };

describe('healthRouter', () => {
  test('/healthz does not care about the store', async () => {
    expect(await ask('/healthz', [bad])).toMatchObject({ status: 200, text: 'ok\n' });
  });
  test('/readyz says what is missing', async () => {
    expect(await ask('/readyz', [bad, good])).toMatchObject({
      status: 503,
      text: '[-] etcd: no answer from 127.0.0.1:2379 for 5 s\n[+] leader: 127.0.0.1:8080\n',
    });
  });
  test('/readyz is 200 when all holds', async () => {
    expect(await ask('/readyz', [good])).toMatchObject({ status: 200 });
  });
  test.each(['/metrics', '/metrics/prometheus'])('%s is Prometheus text', async (path) => {
    expect(await ask(path, [])).toEqual({
      status: 200,
      type: 'text/plain; version=0.0.4; charset=utf-8',
      text: 'berth_up 1\n',
    });
  });
});
