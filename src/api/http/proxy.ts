import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { LIMITS } from '../../core/limits';

/** The leader could not answer; the message is Marathon's. Faces answer 502. */
export class BadGatewayError extends Error {
  override readonly name = 'BadGatewayError';
}

export interface ForwardOptions {
  /** `host:port` of the leader's same face; undefined: nobody is known to lead. */
  readonly leader: string | undefined;
  /** `host:port` of this server: goes into X-Marathon-Via, and finding it there is a loop. */
  readonly self: string;
  /** The leader's face speaks TLS with a certificate of this authority (PEM). */
  readonly tls?: { readonly ca?: readonly string[] };
  readonly connectMs?: number;
  readonly answerMs?: number;
}

const VIA = 'x-marathon-via';
/** Headers that belong to one connection (RFC 9110 section 7.6.1), and the host, which is the leader's. */
const CONNECTION_HEADERS: ReadonlySet<string> = new Set([
  'connection',
  'host',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'expect',
]);

/**
 * Sends a request that only the leader can answer on to it and its answer back, credentials included. The body must not have
 * been read. Resolves when the answer is complete. Rejects with BadGatewayError while nothing of the answer is sent yet.
 */
export async function forwardToLeader(
  request: IncomingMessage & { readonly originalUrl?: string },
  response: ServerResponse,
  options: ForwardOptions,
): Promise<void> {
  const { leader, self } = options;
  if (leader === undefined) throw new BadGatewayError('Could not determine the current leader');
  const via = `1.1 ${self}`;
  const seen = String(request.headers[VIA] ?? '');
  if (leader === self || seen.split(',').some((hop) => hop.trim() === via))
    throw new BadGatewayError('Detected proxying loop.');
  const headers = {
    ...withoutConnection(request.headers),
    // Without it Node would send the body of a DELETE unframed, and the leader would read it as another request.
    ...(request.headers['transfer-encoding'] === undefined ? {} : { 'transfer-encoding': 'chunked' }),
    [VIA]: seen === '' ? via : `${seen}, ${via}`,
    'x-forwarded-for': forwardedFor(request),
  };
  const answer = await exchange(request, leader, headers, options);
  response.writeHead(answer.statusCode ?? 502, { ...withoutConnection(answer.headers), [VIA]: via });
  await pipeAnswer(answer, response, options.answerMs ?? LIMITS.forwardAnswerMs);
}

function exchange(
  request: IncomingMessage & { readonly originalUrl?: string },
  leader: string,
  headers: IncomingHttpHeaders,
  { tls, connectMs = LIMITS.forwardConnectMs, answerMs = LIMITS.forwardAnswerMs }: ForwardOptions,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const url = new URL(`${tls === undefined ? 'http' : 'https'}://${leader}`);
    const open = tls === undefined ? httpRequest : httpsRequest;
    const forward = open({
      host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
      port: url.port,
      method: request.method,
      path: request.originalUrl ?? request.url,
      headers,
      agent: false,
      ...(tls?.ca === undefined ? {} : { ca: [...tls.ca] }),
    });
    const giveUp = () => forward.destroy(new BadGatewayError('Connection to leader timed out.'));
    let timer = setTimeout(giveUp, connectMs);
    forward.on('socket', (socket) =>
      socket.once('connect', () => {
        clearTimeout(timer);
        timer = setTimeout(giveUp, answerMs);
      }),
    );
    forward.on('response', (answer) => {
      clearTimeout(timer);
      resolve(answer);
    });
    forward.on('error', (error) => {
      clearTimeout(timer);
      reject(
        error instanceof BadGatewayError
          ? error
          : new BadGatewayError('Connection to leader refused.', { cause: error }),
      );
    });
    request.on('close', () => {
      if (!request.complete) forward.destroy();
    });
    request.pipe(forward);
  });
}

/** What comes after the headers can no longer become an error answer: a broken answer breaks the client's connection. */
function pipeAnswer(answer: IncomingMessage, response: ServerResponse, silenceMs: number): Promise<void> {
  return new Promise((resolve) => {
    answer.setTimeout(silenceMs, () => answer.destroy(new BadGatewayError('Connection to leader timed out.')));
    answer.on('error', () => response.destroy());
    response.on('close', () => {
      answer.destroy();
      resolve();
    });
    answer.pipe(response);
  });
}

function withoutConnection(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !CONNECTION_HEADERS.has(name)));
}

function forwardedFor(request: IncomingMessage): string {
  const before = request.headers['x-forwarded-for'];
  const client = request.socket.remoteAddress ?? 'unknown';
  return before === undefined ? client : `${String(before)}, ${client}`;
}
