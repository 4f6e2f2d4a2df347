import { basename } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Router, type Response } from 'express';
import { LIMITS } from '../../core/limits';
import type { SandboxFiles } from '../../core/ports/sandboxes';
import { integer, requiredPath } from './query';

/** Mesos: `/files/browse`, `/files/read`, `/files/download` (also with `.json`), for paths inside sandboxes. */
export function filesRouter(files: SandboxFiles): Router {
  const router = Router();
  router.get(['/files/browse', '/files/browse.json'], async (request, response) => {
    response.json(await files.browse(requiredPath(request)));
  });
  router.get(['/files/read', '/files/read.json'], async (request, response) => {
    const path = requiredPath(request);
    const offset = integer(request, 'offset', -1) ?? -1;
    const length = Math.min(integer(request, 'length', 0) ?? LIMITS.fileReadBytes, LIMITS.fileReadBytes);
    const size = await files.size(path);
    // Mesos: without an offset, or with -1, the answer is only the size.
    if (offset === -1) return void response.json({ data: '', offset: size });
    const data = offset >= size ? new Uint8Array() : await files.read(path, offset, length);
    response.json({ data: Buffer.from(data).toString('utf8'), offset });
  });
  router.get(['/files/download', '/files/download.json'], async (request, response) => {
    const path = requiredPath(request);
    await files.size(path);
    response.attachment(basename(path)).type('application/octet-stream');
    const ended = abortOnClose(response);
    await send(response, files.stream(path, { offset: 0, follow: false, signal: ended }));
  });
  return router;
}

/** Aborts when the client has gone or all is sent. */
export function abortOnClose(response: Response): AbortSignal {
  const ended = new AbortController();
  response.once('close', () => ended.abort());
  return ended.signal;
}

/** Sends a stream as fast as the client reads it; a client that goes away is no error. */
export async function send(response: Response, stream: AsyncIterable<Uint8Array>): Promise<void> {
  response.flushHeaders();
  try {
    await pipeline(Readable.from(stream, { objectMode: false }), response);
  } catch (error) {
    if (!response.destroyed && !response.writableEnded) throw error;
  }
}
