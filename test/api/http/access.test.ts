import { accessLog, limitConcurrency } from '../../../src/api/http/access';
import { StreamRegistry } from '../../../src/api/http/event-stream';
import { FakeClock, RecordingLogger, recordingMetrics, silentLogger } from '../../support/fakes';
import { waitFor } from '../../support/wait';
import { serve } from './server';

describe('accessLog', () => {
  test('counts by face, method and code, and logs neither query nor headers', async () => {
    const metrics = recordingMetrics();
    const log = new RecordingLogger();
    const server = await serve((app) => {
      app.use(accessLog('marathon', new FakeClock(), metrics, log));
      app.get('/there', (_request, response) => void response.send('x'));
    });
    await fetch(`${server.url}/there?token=s3cret`, { headers: { authorization: 'Bearer s3cret' } });
    await fetch(`${server.url}/nowhere`, { method: 'PROPFIND' });
    const count = (method: string, code: string) =>
      metrics.read('berth_http_requests_total', { face: 'marathon', method, code });
    await waitFor('both to be counted', () => count('GET', '200') === 1 && count('other', '404') === 1);
    expect(metrics.read('berth_http_request_duration_seconds', { face: 'marathon', method: 'GET' })).toBe(1);
    expect(log.lines).toHaveLength(2);
    expect(JSON.stringify(log.lines)).not.toContain('s3cret');
    await server.close(0);
  });

  test('does not time streams', async () => {
    const metrics = recordingMetrics();
    const clock = new FakeClock();
    const registry = new StreamRegistry(clock, silentLogger());
    const server = await serve((app) => {
      app.use(accessLog('marathon', clock, metrics, silentLogger()));
      app.use((request, response) => void registry.start(request, response, { headers: {} }));
    });
    const answer = await fetch(server.url);
    registry.closeAll();
    await answer.text();
    await waitFor('it to be counted', () =>
      metrics.read('berth_http_requests_total', { face: 'marathon', method: 'GET', code: '200' }),
    );
    expect(metrics.read('berth_http_request_duration_seconds', { face: 'marathon', method: 'GET' })).toBeUndefined();
    await server.close(0);
  });
});

describe('limitConcurrency', () => {
  test('refuses what is over the limit and forgets what is done', async () => {
    const waiting: (() => void)[] = [];
    const server = await serve((app) => {
      app.use(limitConcurrency(1));
      app.use((_request, response) => void waiting.push(() => response.end()));
    });
    const first = fetch(server.url);
    const release = await waitFor('the first request', () => waiting[0]);
    expect((await fetch(server.url)).status).toBe(503);
    release();
    await first;
    const third = fetch(server.url);
    (await waitFor('the third request', () => waiting[1]))();
    expect((await third).status).toBe(200);
    await server.close(0);
  });

  test('streams do not count', async () => {
    const registry = new StreamRegistry(new FakeClock(), silentLogger());
    const server = await serve((app) => {
      app.use(limitConcurrency(1));
      app.get('/stream', (request, response) => void registry.start(request, response, { headers: {} }));
      app.get('/', (_request, response) => void response.end());
    });
    const streams = [await fetch(`${server.url}/stream`), await fetch(`${server.url}/stream`)];
    expect((await fetch(server.url)).status).toBe(200);
    expect(streams.map(({ status }) => status)).toEqual([200, 200]);
    registry.closeAll();
    await server.close(0);
  });
});
