import { Agent as HttpAgent, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { TimeoutError } from '../../core/errors';

export interface Exchange {
  readonly url: URL;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Milliseconds until the headers of the answer must be there. */
  readonly timeoutMs: number;
  /** PEM of the authority that signed the server's certificate; default: the system's. */
  readonly ca?: string;
  readonly agent?: HttpAgent | HttpsAgent;
  /** Ends the request while its answer has not begun. */
  readonly signal?: AbortSignal;
}

/** Sends one request; resolves with the answer as soon as its headers are there. The caller reads or destroys it. */
export function exchange(options: Exchange): Promise<IncomingMessage> {
  const { url, method, headers, body, timeoutMs, ca, agent, signal } = options;
  const isTls = url.protocol === 'https:';
  const requestOptions: RequestOptions & { ca?: string } = {
    method,
    headers: { ...headers, 'content-length': String(Buffer.byteLength(body)) },
    agent: agent ?? false,
    ...(ca === undefined ? {} : { ca }),
  };
  return new Promise((resolve, reject) => {
    const request = isTls ? httpsRequest(url, requestOptions) : httpRequest(url, requestOptions);
    const timer = setTimeout(
      () => request.destroy(new TimeoutError(`${method} ${url.host}${url.pathname}`, timeoutMs)),
      timeoutMs,
    );
    const abandon = () => request.destroy(new Error('given up'));
    signal?.addEventListener('abort', abandon, { once: true });
    const settle = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abandon);
    };
    request.once('response', (response) => {
      settle();
      resolve(response);
    });
    request.once('error', (error) => {
      settle();
      reject(error);
    });
    // A broken connection after the answer began is told by the answer; without a listener it would end the process.
    request.on('error', () => undefined);
    request.end(body);
  });
}

/** At most `limitBytes` of the answer as text; what is beyond is not read. */
export async function textOf(response: IncomingMessage, limitBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response) {
    const bytes = chunk as Buffer;
    chunks.push(bytes.subarray(0, limitBytes - size));
    size += bytes.length;
    if (size >= limitBytes) break;
  }
  response.destroy();
  return Buffer.concat(chunks).toString('utf8');
}
