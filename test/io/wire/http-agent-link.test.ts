import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { UnavailableError } from '../../../src/core/errors';
import type { AgentCall, AgentEvent } from '../../../src/core/ports/agent-link';
import { HttpAgentLink } from '../../../src/io/wire/http-agent-link';
import { encodeRecord } from '../../../src/core/records/recordio';
import { waitFor } from '../../support/wait';

type Handler = (call: AgentCall, request: IncomingMessage, response: ServerResponse) => void;

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

function master(handler: Handler): Promise<{ host: string; port: number; tls: false }> {
  return listening((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => handler(JSON.parse(Buffer.concat(chunks).toString()) as AgentCall, request, response));
  });
}

async function listening(
  listener: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<{ host: string; port: number; tls: false }> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { host: '127.0.0.1', tls: false, port: (server.address() as AddressInfo).port };
}

const SUBSCRIBE: Extract<AgentCall, { type: 'SUBSCRIBE' }> = {
  type: 'SUBSCRIBE',
  subscribe: {
    agent: { hostname: 'h', port: 5051, resources: [], attributes: [], containerizers: [], version: '0', runId: 'r' },
    tasks: [],
  },
};
const PONG: AgentCall = { type: 'PONG', agentId: 'a' };

function leading(calls: AgentCall[], streams: ServerResponse[] = []): Handler {
  return (call, request, response) => {
    if (call.type !== 'SUBSCRIBE') {
      calls.push(call);
      response.writeHead(request.headers['mesos-stream-id'] === 's1' ? 202 : 400).end();
      return;
    }
    response.writeHead(200, { 'Mesos-Stream-Id': 's1' });
    response.write(encodeRecord({ type: 'PING' }));
    streams.push(response);
  };
}

test('finds the leader behind servers that are down, refuse, or point elsewhere', async () => {
  const calls: AgentCall[] = [];
  const leader = await master(leading(calls));
  const standby = await master((_call, _request, response) =>
    response.writeHead(307, { location: `//127.0.0.1:${leader.port}/api/v1/agent` }).end(),
  );
  const electing = await master((_call, _request, response) => response.writeHead(503).end('No leader elected'));
  const down = await master(() => undefined);
  servers.pop()?.close();

  const events: AgentEvent[] = [];
  const link = new HttpAgentLink({ masters: [down, electing, standby] });
  const session = await link.connect(
    SUBSCRIBE,
    (event) => events.push(event),
    () => undefined,
  );
  await waitFor('the ping', () => events.length === 1);
  await session.send(PONG as Exclude<AgentCall, { type: 'SUBSCRIBE' }>);
  expect(calls).toEqual([PONG]);
  session.close();
});

test('says of every server why it is of no use', async () => {
  const electing = await master((_call, _request, response) => response.writeHead(503).end('No leader elected'));
  const link = new HttpAgentLink({ masters: [electing] });
  const connecting = link.connect(
    SUBSCRIBE,
    () => undefined,
    () => undefined,
  );
  await expect(connecting).rejects.toThrow(UnavailableError);
  await expect(connecting).rejects.toThrow(/503 No leader elected/);
});

test('an attempt that is given up asks nobody any more, and the next one asks another server first', async () => {
  let asked = 0;
  const silent = await master(() => void asked++);
  const subscriptions: AgentCall[] = [];
  const leader = await master((call, request, response) => {
    subscriptions.push(call);
    leading([])(call, request, response);
  });
  const link = new HttpAgentLink({ masters: [silent, leader] });
  const nothing = () => undefined;
  const patience = new AbortController();
  const connecting = link.connect(SUBSCRIBE, nothing, nothing, patience.signal);
  await waitFor('the silent server to be asked', () => asked === 1);
  patience.abort();
  await expect(connecting).rejects.toThrow(/given up/);
  expect(subscriptions).toEqual([]);
  const session = await link.connect(SUBSCRIBE, nothing, nothing, new AbortController().signal);
  expect(asked).toBe(1);
  session.close();
});

test('after a stream that fell silent another server is asked first', async () => {
  let standbyAsked = 0;
  const leader = await master(leading([]));
  const standby = await master((_call, _request, response) => {
    standbyAsked++;
    response.writeHead(307, { location: `//127.0.0.1:${leader.port}/api/v1/agent` }).end();
  });
  const link = new HttpAgentLink({ masters: [leader, standby] });
  const nothing = () => undefined;
  (await link.connect(SUBSCRIBE, nothing, nothing)).close();
  expect(standbyAsked).toBe(0);
  (await link.connect(SUBSCRIBE, nothing, nothing)).close();
  expect(standbyAsked).toBe(1);
});

test('the other servers say whether somebody else leads', async () => {
  let leads = '';
  const paths: (string | undefined)[] = [];
  const standby = await listening((request, response) => {
    paths.push(`${request.method} ${request.url}`);
    if (leads === '') response.writeHead(503).end();
    else response.writeHead(307, { location: `//${leads}` }).end();
  });
  const leader = await master(leading([]));
  const down = await master(() => undefined);
  servers.pop()?.close();
  const link = new HttpAgentLink({ masters: [leader, standby, down] });
  await expect(link.hasOtherLeader()).resolves.toBe(false);
  const nothing = () => undefined;
  const session = await link.connect(SUBSCRIBE, nothing, nothing);
  await expect(link.hasOtherLeader()).resolves.toBe(false);
  leads = `127.0.0.1:${leader.port}`;
  await expect(link.hasOtherLeader()).resolves.toBe(false);
  leads = '127.0.0.1:1';
  await expect(link.hasOtherLeader()).resolves.toBe(true);
  expect(paths).toEqual(Array(3).fill('GET /redirect'));
  session.close();
});

test('servers that send each other in circles', async () => {
  const looping = await master((_call, request, response) =>
    response.writeHead(307, { location: `//${request.headers.host}/api/v1/agent` }).end(),
  );
  const connecting = new HttpAgentLink({ masters: [looping] }).connect(
    SUBSCRIBE,
    () => undefined,
    () => undefined,
  );
  await expect(connecting).rejects.toThrow(/circles/);
});

test('the end of the stream is told once, and calls fail from then on', async () => {
  const streams: ServerResponse[] = [];
  const leader = await master(leading([], streams));
  const closed: string[] = [];
  const link = new HttpAgentLink({ masters: [leader] });
  const session = await link.connect(
    SUBSCRIBE,
    () => undefined,
    (reason) => closed.push(reason),
  );
  streams[0]?.destroy();
  await waitFor('closed', () => closed.length > 0);
  await expect(session.send(PONG as Exclude<AgentCall, { type: 'SUBSCRIBE' }>)).rejects.toThrow(UnavailableError);
  expect(closed).toHaveLength(1);
});

test('a call that the server refuses ends the session: a new one is needed', async () => {
  const leader = await master((call, _request, response) => {
    if (call.type === 'SUBSCRIBE') response.writeHead(200, { 'Mesos-Stream-Id': 'old' }).flushHeaders();
    else response.writeHead(400).end('unknown stream');
  });
  const closed: string[] = [];
  const session = await new HttpAgentLink({ masters: [leader] }).connect(
    SUBSCRIBE,
    () => undefined,
    (reason) => closed.push(reason),
  );
  await expect(session.send(PONG as Exclude<AgentCall, { type: 'SUBSCRIBE' }>)).rejects.toThrow(/unknown stream/);
  expect(closed).toEqual(['400 unknown stream']);
});

test('the token goes with every call', async () => {
  const seen: (string | undefined)[] = [];
  const leader = await master((call, request, response) => {
    seen.push(request.headers.authorization);
    if (call.type === 'SUBSCRIBE') response.writeHead(200, { 'Mesos-Stream-Id': 's1' }).flushHeaders();
    else response.writeHead(202).end();
  });
  const session = await new HttpAgentLink({ masters: [leader], token: 'secret' }).connect(
    SUBSCRIBE,
    () => undefined,
    () => undefined,
  );
  await session.send(PONG as Exclude<AgentCall, { type: 'SUBSCRIBE' }>);
  expect(seen).toEqual(['Bearer secret', 'Bearer secret']);
  session.close();
});
