import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, Server as TlsServer } from 'node:https';
import type { Socket } from 'node:net';
import { messageOf, UnavailableError } from '../../core/errors';
import { LIMITS } from '../../core/limits';
import { portOwner } from './port-owner';

/** Certificate (with its chain) and key, PEM texts. */
export interface Pem {
  readonly cert: string;
  readonly key: string;
}

export interface ListenOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** Present: HTTPS. */
  readonly tls?: Pem;
}

export interface Listening {
  readonly address: string;
  readonly port: number;
  /** For `upgrade` (WebSocket) handlers. */
  readonly server: Server;
  /** Connections from now on see this certificate; open ones go on. Throws when the two are no pair, or without TLS. */
  setCertificate(pem: Pem): void;
  /**
   * Takes no new connections, lets requests finish for `graceMs` (default LIMITS.closeGraceMs), then cuts what is left:
   * streams and upgraded connections too. Resolves when all are closed, with the number of requests that were cut; a second call
   * waits for the first.
   */
  close(graceMs?: number): Promise<number>;
}

/**
 * Serves `app` on host:port. Rejects with UnavailableError that names the port, and the process that has it if it is
 * taken and /proc can tell.
 */
export async function listen(app: RequestListener, options: ListenOptions): Promise<Listening> {
  const server = create(app, options);
  const sockets = trackSockets(server);
  const inHand = trackResponses(server);
  await bind(server, options);
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('a TCP server without an address');
  let closed: Promise<number> | undefined;
  return {
    address: bound.address,
    port: bound.port,
    server,
    setCertificate: ({ cert, key }) => {
      if (!(server instanceof TlsServer)) throw new Error('a listener without TLS has no certificate');
      server.setSecureContext({ cert, key });
    },
    close: (graceMs = LIMITS.closeGraceMs) => (closed ??= close(server, sockets, inHand, graceMs)),
  };
}

function create(app: RequestListener, { tls }: ListenOptions): Server {
  const server: Server = tls === undefined ? createServer(app) : createTlsServer({ ...tls }, app);
  server.headersTimeout = LIMITS.requestHeadersMs;
  // Node counts the headers in, so the body gets its own time on top.
  server.requestTimeout = LIMITS.requestHeadersMs + LIMITS.requestBodyMs;
  server.keepAliveTimeout = LIMITS.keepAliveIdleMs;
  // No limit on silence after the request: event streams and watches are silent for long.
  server.timeout = 0;
  return server;
}

/** Every open connection, upgraded ones too (which Node's closeAllConnections leaves open). */
function trackSockets(server: Server): Set<Socket> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  return sockets;
}

function trackResponses(server: Server): Set<ServerResponse> {
  const inHand = new Set<ServerResponse>();
  server.prependListener('request', (_request, response) => {
    inHand.add(response);
    response.once('close', () => inHand.delete(response));
  });
  return inHand;
}

async function bind(server: Server, { host, port }: ListenOptions): Promise<void> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host, port }, () => {
        server.off('error', reject);
        resolve();
      });
    });
  } catch (error) {
    throw await bindError(error, host, port);
  }
}

async function bindError(cause: unknown, host: string, port: number): Promise<Error> {
  const { code } = cause as NodeJS.ErrnoException;
  const what = `port ${port} on ${host}`;
  if (code === 'EADDRINUSE') {
    const owner = await portOwner(port);
    return new UnavailableError(what, { cause, detail: owner === undefined ? 'already in use' : `in use by ${owner}` });
  }
  if (code === 'EACCES') return new UnavailableError(what, { cause, detail: 'not permitted to this user' });
  if (code === 'EADDRNOTAVAIL') return new UnavailableError(what, { cause, detail: 'this host has no such address' });
  return new UnavailableError(what, { cause, detail: messageOf(cause) });
}

function close(
  server: Server,
  sockets: ReadonlySet<Socket>,
  inHand: ReadonlySet<ServerResponse>,
  graceMs: number,
): Promise<number> {
  return new Promise((resolve) => {
    let cutOff = 0;
    const cut = setTimeout(() => {
      cutOff = inHand.size;
      for (const socket of sockets) socket.destroy();
    }, graceMs);
    server.close(() => {
      clearTimeout(cut);
      resolve(cutOff);
    });
    // Node closes what is idle now; a kept-alive connection whose request ends later would stay until its timeout.
    const whenDone = (response: ServerResponse) => response.once('close', () => server.closeIdleConnections());
    server.prependListener('request', (_request, response) => whenDone(response));
    for (const response of inHand) whenDone(response);
    server.closeIdleConnections();
  });
}
