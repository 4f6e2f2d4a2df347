import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import express from 'express';
import { agentRouter } from '../../../src/api/agent/agent-router';
import { SandboxReader } from '../../../src/io/files/sandbox-reader';
import { silentLogger } from '../../support/fakes';
import { shellTask } from '../../agent/builders';
import { FakeWorld } from '../../agent/fake-world';

let root: string;
let box: string;
let world: FakeWorld;
let server: Server;
let url: string;
/** Why the engine does not answer, when it does not. */
let engineIs: Error | undefined;

beforeEach(async () => {
  engineIs = undefined;
  root = mkdtempSync(join(tmpdir(), 'berth-api-agent-'));
  box = join(root, 'F1', 't');
  mkdirSync(box, { recursive: true });
  writeFileSync(join(box, 'stdout'), 'one\ntwo\n');
  writeFileSync(join(box, 'stderr'), 'oops\n');
  world = await FakeWorld.started({
    attributes: [{ name: 'rack', type: 'TEXT', text: { value: 'a' } }],
    resources: [
      { name: 'cpus', type: 'SCALAR', scalar: { value: 4 } },
      { name: 'ports', type: 'RANGES', ranges: { range: [{ begin: 31000, end: 31000 }] } },
    ],
  });
  world.sandboxes.pathOf = () => box;
  world.master.launch(shellTask('t', 'x'));
  await world.run();
  const app = express();
  const { agent } = world;
  app.use(
    agentRouter({
      agent,
      files: new SandboxReader(root),
      engineAnswers: () => (engineIs === undefined ? Promise.resolve() : Promise.reject(engineIs)),
      metrics: () => Promise.resolve('berth_x 1\n'),
      log: silentLogger(),
    }),
  );
  server = createServer(app).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  url = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(root, { recursive: true, force: true });
});

const get = async (path: string) => {
  const response = await fetch(url + path, { signal: AbortSignal.timeout(10_000) });
  return { status: response.status, text: await response.text(), headers: response.headers };
};
const query = (path: string) => `path=${encodeURIComponent(path)}`;

test.each<{ path: () => string; status: number; text: string }>([
  { path: () => '/health', status: 200, text: '' },
  { path: () => '/healthz', status: 200, text: 'ok\n' },
  { path: () => '/readyz', status: 200, text: '[+] registered: registered as S1\n[+] docker: answers\n' },
  { path: () => '/metrics', status: 200, text: 'berth_x 1\n' },
  { path: () => '/v1/tasks/t/logs', status: 200, text: 'one\ntwo\n' },
  { path: () => '/v1/tasks/t/logs?tail=1', status: 200, text: 'two\n' },
  { path: () => '/v1/tasks/t/logs?tail=0', status: 200, text: '' },
  { path: () => '/v1/tasks/t/logs?stream=stderr', status: 200, text: 'oops\n' },
  {
    path: () => '/v1/tasks/t/logs?stream=passwd',
    status: 400,
    text: `{"message":"stream must be stdout or stderr, not 'passwd'"}`,
  },
  {
    path: () => '/v1/tasks/t/logs?tail=x',
    status: 400,
    text: `{"message":"Failed to parse tail: 'x' is not a whole number of at least 0"}`,
  },
  { path: () => '/v1/tasks/none/logs', status: 404, text: `{"message":"task 'none' does not exist"}` },
  { path: () => `/files/read?${query(join(box, 'stdout'))}`, status: 200, text: '{"data":"","offset":8}' },
  {
    path: () => `/files/read?${query(join(box, 'stdout'))}&offset=4`,
    status: 200,
    text: '{"data":"two\\n","offset":4}',
  },
  {
    path: () => `/files/read?${query(join(box, 'stdout'))}&offset=4&length=2`,
    status: 200,
    text: '{"data":"tw","offset":4}',
  },
  { path: () => `/files/read?${query(join(box, 'stdout'))}&offset=99`, status: 200, text: '{"data":"","offset":99}' },
  { path: () => `/files/download?${query(join(box, 'stdout'))}`, status: 200, text: 'one\ntwo\n' },
  { path: () => '/files/read', status: 400, text: `{"message":"Expecting 'path=value' in query."}` },
  { path: () => `/files/read?${query(box)}`, status: 400, text: '{"message":"Cannot read a directory."}' },
  {
    path: () => `/files/read?${query('/etc/passwd')}`,
    status: 404,
    text: `{"message":"file '/etc/passwd' does not exist"}`,
  },
  {
    path: () => `/files/download?${query(join(box, '../../../../etc/passwd'))}`,
    status: 404,
    text: expect.any(String) as string,
  },
])('GET $path -> $status', async ({ path, status, text }) => {
  expect(await get(path())).toMatchObject({ status, text });
});

test('an agent whose engine does not answer is alive, but not ready', async () => {
  engineIs = new Error('Docker is unavailable: connect ECONNREFUSED /run/docker.sock');
  expect(await get('/readyz')).toMatchObject({
    status: 503,
    text: `[+] registered: registered as S1\n[-] docker: ${engineIs.message}\n`,
  });
  expect(await get('/healthz')).toMatchObject({ status: 200 });
});

test('browse lists a sandbox', async () => {
  const { text } = await get(`/files/browse?${query(box)}`);
  expect(JSON.parse(text)).toMatchObject([
    { path: join(box, 'stderr'), size: 5 },
    { path: join(box, 'stdout'), size: 8 },
  ]);
});

test('state names resources, attributes and tasks as Mesos does', async () => {
  const { text } = await get('/state.json');
  expect(JSON.parse(text)).toMatchObject({
    id: 'S1',
    pid: 'slave(1)@node1:5051',
    resources: { cpus: 4, gpus: 0, mem: 0, disk: 0, ports: '[31000-31000]' },
    attributes: { rack: 'a' },
    frameworks: [
      {
        id: 'F1',
        executors: [{ id: 't', directory: box, tasks: [{ id: 't', state: 'TASK_RUNNING', framework_id: 'F1' }] }],
      },
    ],
  });
});

test('statistics have an element per running task', async () => {
  const { text } = await get('/monitor/statistics');
  expect(JSON.parse(text)).toMatchObject([
    { executor_id: 't', framework_id: 'F1', statistics: { cpus_user_time_secs: 1.5, mem_rss_bytes: 1_000 } },
  ]);
});

test('following sends what comes and ends with the task', async () => {
  const response = await fetch(`${url}/v1/tasks/t/logs?follow=true&tail=1`, { signal: AbortSignal.timeout(15_000) });
  appendFileSync(join(box, 'stdout'), 'three\n');
  world.driver.exit('t');
  await world.run();
  expect(await response.text()).toBe('two\nthree\n');
});

test('while the master is away it is not ready, says why, and still serves logs', async () => {
  world.master.away = true;
  world.master.hangUp('the master is gone');
  await world.run(10_000);
  const { status, text } = await get('/readyz');
  expect([status, text]).toEqual([503, '[-] registered: master is unavailable: nobody leads\n[+] docker: answers\n']);
  expect((await get('/health')).status).toBe(200);
  expect((await get('/v1/tasks/t/logs')).text).toBe('one\ntwo\n');
});
