import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { createGunzip, createInflate } from 'node:zlib';
import { BadRequestError, messageOf, TooLargeError } from '../../core/errors';
import { LIMITS } from '../../core/limits';

/**
 * The whole body of a request, with `Content-Encoding` gzip or deflate undone. `limitBytes` holds for what was sent and for what
 * comes out of it. Throws TooLargeError, and BadRequestError when the client stops sending, is slower than `timeoutMs` in
 * all, or used an encoding that cannot be undone.
 */
export async function readBody(
  request: IncomingMessage,
  limitBytes: number = LIMITS.requestBytes,
  timeoutMs: number = LIMITS.requestBodyMs,
): Promise<Buffer> {
  if (Number(request.headers['content-length'] ?? 0) > limitBytes) throw tooLarge(limitBytes);
  const source = decoded(request);
  try {
    return await collect(request, source, limitBytes, timeoutMs);
  } catch (error) {
    // What is still to come must not fill memory: the error answer closes the connection (errors.ts).
    request.unpipe();
    request.pause();
    if (source !== request) source.destroy();
    throw error;
  }
}

function collect(request: IncomingMessage, source: Readable, limitBytes: number, timeoutMs: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const fail = (error: Error) => {
      clearTimeout(timer);
      reject(error);
    };
    const timer = setTimeout(
      () => fail(new BadRequestError(`The request body did not arrive within ${timeoutMs} ms`)),
      timeoutMs,
    );
    source.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > limitBytes) fail(tooLarge(limitBytes));
      else chunks.push(chunk);
    });
    source.once('end', () => {
      clearTimeout(timer);
      resolve(Buffer.concat(chunks, bytes));
    });
    const unreadable = (error: Error) => fail(new BadRequestError('The request body cannot be read', messageOf(error)));
    source.on('error', unreadable);
    request.on('error', unreadable);
    request.once('close', () => {
      if (!request.complete) unreadable(new Error('the connection was closed'));
    });
  });
}

/** The stream of decoded bytes: the request itself unless it is compressed. */
function decoded(request: IncomingMessage): Readable {
  const encoding = (request.headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  return encoding === 'identity' || encoding === '' ? request : request.pipe(decoderOf(encoding));
}

function decoderOf(encoding: string) {
  if (encoding === 'gzip' || encoding === 'x-gzip') return createGunzip();
  if (encoding === 'deflate') return createInflate();
  throw new BadRequestError(`Content-Encoding '${encoding}' is not supported; send gzip, deflate or none`);
}

function tooLarge(limitBytes: number): TooLargeError {
  return new TooLargeError(`The request body is larger than ${limitBytes} bytes`);
}
