import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import { messageOf } from '../../core/errors';
import { LIMITS } from '../../core/limits';
import type { Probe, ProbeAnswer } from '../../core/ports/probe';
import { textOf } from './exchange';

/** Probes over the real network. Every probe is a new connection: a kept one would not tell that nobody listens any more. */
export class NetProbe implements Probe {
  http(options: Parameters<Probe['http']>[0]): Promise<ProbeAnswer> {
    const { scheme, host, port, path, timeoutMs } = options;
    const open = scheme === 'https' ? httpsRequest : httpRequest;
    return new Promise((resolve) => {
      const request = open({
        host,
        port,
        path: path.startsWith('/') ? path : `/${path}`,
        agent: false,
        headers: { 'user-agent': 'berth-agent', connection: 'close' },
        ...(scheme === 'https' ? { rejectUnauthorized: false } : {}),
      });
      const timer = setTimeout(() => request.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
      const done = (answer: ProbeAnswer) => {
        clearTimeout(timer);
        request.destroy();
        resolve(answer);
      };
      const settle = async (response: IncomingMessage) => done(await answerOf(response, options.keepBody === true));
      request.on('error', (error) => done({ ok: false, cause: causeOf(error) }));
      request.on('response', (response) => {
        void settle(response);
      });
      request.end();
    });
  }

  tcp({ host, port, timeoutMs }: Parameters<Probe['tcp']>[0]): Promise<ProbeAnswer> {
    return new Promise((resolve) => {
      const socket = connect({ host, port });
      const done = (answer: ProbeAnswer) => {
        socket.destroy();
        resolve(answer);
      };
      socket.setTimeout(timeoutMs, () => done({ ok: false, cause: `no answer within ${timeoutMs} ms` }));
      socket.once('connect', () => done({ ok: true }));
      socket.on('error', (error) => done({ ok: false, cause: causeOf(error) }));
    });
  }
}

async function answerOf(response: IncomingMessage, keepBody: boolean): Promise<ProbeAnswer> {
  const status = response.statusCode ?? 0;
  const head = { ok: true, status, contentType: response.headers['content-type'] ?? '' };
  if (!keepBody) return head;
  try {
    return { ...head, body: await textOf(response, LIMITS.probeBodyBytes) };
  } catch (error) {
    return { ok: false, cause: causeOf(error) };
  }
}

function causeOf(error: unknown): string {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  if (code === 'ECONNREFUSED') return 'connection refused';
  if (code === 'ECONNRESET') return 'connection reset';
  if (code === 'EHOSTUNREACH' || code === 'ENETUNREACH') return 'host unreachable';
  if (code === 'ENOTFOUND') return 'host name not found';
  return messageOf(error);
}
