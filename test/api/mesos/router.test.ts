import { application } from '../../../src/api/http/application';
import { StreamRegistry } from '../../../src/api/http/event-stream';
import { listen, type Listening } from '../../../src/api/http/listen';
import { mesosRouter } from '../../../src/api/mesos/router';
import type { AgentCall, AgentEvent } from '../../../src/core/ports/agent-link';
import type { LeaderInfo } from '../../../src/core/ports/election';
import { parseResources } from '../../../src/core/records/resources';
import { SystemClock } from '../../../src/io/system/clock';
import { HttpAgentLink } from '../../../src/io/wire/http-agent-link';
import type { Master } from '../../../src/master/master';
import { MasterWorld } from '../../master/world';
import { seededIds, silentLogger } from '../../support/fakes';
import { waitFor } from '../../support/wait';

const SUBSCRIBE: Extract<AgentCall, { type: 'SUBSCRIBE' }> = {
  type: 'SUBSCRIBE',
  subscribe: {
    agent: {
      hostname: 'h',
      port: 5051,
      resources: parseResources('cpus:4;mem:4096'),
      attributes: [],
      containerizers: ['docker'],
      version: '0',
      runId: 'r',
    },
    tasks: [],
  },
};

let world: MasterWorld;
let master: Master | undefined;
let leader: LeaderInfo | undefined;
let face: Listening;
let pump: NodeJS.Timeout;

beforeEach(async () => {
  world = new MasterWorld();
  await world.start();
  master = await world.lead();
  leader = { id: 'me', hostname: 'h', marathonAddress: 'h:8080', mesosAddress: 'h:5050', version: '0' };
  const app = application();
  app.use(
    mesosRouter({
      election: { leader: () => leader, isLeader: () => master !== undefined },
      currentMaster: () => master,
      selfId: 'me',
      streams: new StreamRegistry(new SystemClock(), silentLogger()),
      ids: seededIds(9),
      log: silentLogger(),
      version: '0.1.0',
    }),
  );
  face = await listen(app, { host: '127.0.0.1', port: 0 });
  pump = setInterval(() => void world.clock.run(20), 5);
});
afterEach(async () => {
  clearInterval(pump);
  await face.close(0);
  world.stop();
});

function post(body: unknown, headers: Record<string, string> = {}, method = 'POST') {
  return fetch(`http://127.0.0.1:${face.port}/api/v1/agent`, {
    method,
    redirect: 'manual',
    headers: { 'content-type': 'application/json', ...headers },
    ...(method === 'GET' ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    signal: AbortSignal.timeout(5_000),
  });
}

test('an agent registers, answers and is disconnected when it goes', async () => {
  const events: AgentEvent[] = [];
  const link = new HttpAgentLink({ masters: [{ host: '127.0.0.1', port: face.port, tls: false }] });
  const session = await link.connect(
    SUBSCRIBE,
    (event) => events.push(event),
    () => undefined,
  );
  await waitFor('registration', () => events.some(({ type }) => type === 'SUBSCRIBED'));
  const subscribed = events.find((event) => event.type === 'SUBSCRIBED');
  const agentId = subscribed?.type === 'SUBSCRIBED' ? subscribed.subscribed.agentId : '';
  await session.send({ type: 'PONG', agentId });
  expect(master?.summary().agents).toEqual({ connected: 1, known: 1 });
  await expect(session.send({ type: 'PONG', agentId: 'somebody else' })).rejects.toThrow(/403/);
  await waitFor('disconnection', () => master?.summary().agents.connected === 0);
});

test.each<{ name: string; run: () => Promise<Response>; status: number; text: RegExp }>([
  { name: 'GET', run: () => post('', {}, 'GET'), status: 405, text: /Expecting one of/ },
  {
    name: 'another type',
    run: () => post('x', { 'content-type': 'text/plain' }),
    status: 415,
    text: /application\/json/,
  },
  { name: 'broken JSON', run: () => post('{'), status: 400, text: /^Failed to parse body into JSON/ },
  {
    name: 'an unknown call',
    run: () => post({ type: 'DANCE' }),
    status: 400,
    text: /^Failed to validate agent::Call: type/,
  },
  {
    name: 'a field of the wrong type',
    run: () =>
      post({ ...SUBSCRIBE, subscribe: { ...SUBSCRIBE.subscribe, agent: { ...SUBSCRIBE.subscribe.agent, port: 'x' } } }),
    status: 400,
    text: /subscribe\.agent\.port/,
  },
  {
    name: 'SUBSCRIBE with a stream id',
    run: () => post(SUBSCRIBE, { 'mesos-stream-id': 'x' }),
    status: 400,
    text: /should not include/,
  },
  {
    name: 'a call without stream id',
    run: () => post({ type: 'PONG', agentId: 'a' }),
    status: 400,
    text: /should include/,
  },
  {
    name: 'a call with a stream id of before',
    run: () => post({ type: 'PONG', agentId: 'a' }, { 'mesos-stream-id': 'old' }),
    status: 403,
    text: /not subscribed/,
  },
])('$name: $status', async ({ run, status, text }) => {
  const answer = await run();
  expect(answer.status).toBe(status);
  expect(await answer.text()).toMatch(text);
});

describe('a server that does not lead', () => {
  beforeEach(() => (master = undefined));

  test('sends agents to the leader, without a scheme', async () => {
    leader = { ...(leader as LeaderInfo), id: 'other', mesosAddress: '10.0.0.9:5050' };
    const answer = await post(SUBSCRIBE);
    expect([answer.status, answer.headers.get('location')]).toEqual([307, '//10.0.0.9:5050/api/v1/agent']);
  });

  test('has nobody to send them to', async () => {
    leader = undefined;
    const answer = await post(SUBSCRIBE);
    expect([answer.status, await answer.text(), answer.headers.get('retry-after')]).toEqual([
      503,
      'No leader elected',
      '1',
    ]);
  });

  test('has won, but its term has not begun', async () => {
    const answer = await post(SUBSCRIBE);
    expect([answer.status, await answer.text()]).toEqual([503, 'Master has not finished recovery']);
  });
});

test.each([
  ['/health', 200],
  ['/version', 200],
  ['/master/version', 200],
  ['/metrics/snapshot', 200],
  ['/redirect', 307],
])('GET %s: %i', async (path, status) => {
  const answer = await fetch(`http://127.0.0.1:${face.port}${path}`, { redirect: 'manual' });
  expect(answer.status).toBe(status);
});
