import { isTimeout, textOf } from '../error-text';
import { request, type IncomingMessage } from 'node:http';
import { z } from 'zod';

/** Milliseconds for calls that only look or remove. */
const CALL_MS = 30_000;

const infoSchema = z.looseObject({
  ServerVersion: z.string().default('unknown'),
  LiveRestoreEnabled: z.boolean().default(false),
});
const containersSchema = z.array(z.looseObject({ Id: z.string(), Names: z.array(z.string()).default([]) }));

export interface EngineInfo {
  readonly version: string;
  readonly liveRestore: boolean;
}

/** The little of Docker's Engine API that `berth up` and `down` need, over a unix socket. Every call has a time limit. */
export class DockerEngine {
  constructor(readonly socketPath: string) {}

  /** The engine's version, or why it does not answer. */
  async info(): Promise<EngineInfo | { readonly unreachable: string }> {
    try {
      const info = infoSchema.parse(JSON.parse(await this.call('GET', '/info', { timeoutMs: 5_000 })));
      return { version: info.ServerVersion, liveRestore: info.LiveRestoreEnabled };
    } catch (error) {
      return { unreachable: textOf(error) };
    }
  }

  async hasImage(reference: string): Promise<boolean> {
    try {
      await this.call('GET', `/images/${encodeURIComponent(reference)}/json`, {});
      return true;
    } catch (error) {
      if (error instanceof EngineError && error.status === 404) return false;
      throw error;
    }
  }

  /** Pulls `image:tag` from its registry. Throws with the registry's words, or when `timeoutMs` have passed. */
  async pull(image: string, tag: string, timeoutMs: number): Promise<void> {
    const query = new URLSearchParams({ fromImage: image, tag });
    failOnErrorLine(await this.call('POST', `/images/create?${query.toString()}`, { timeoutMs }));
  }

  /** Makes an image with one layer out of a root file system (tar). */
  async importImage(repository: string, tag: string, rootTar: Buffer): Promise<void> {
    const query = new URLSearchParams({ fromSrc: '-', repo: repository, tag });
    const body = { type: 'application/x-tar', bytes: rootTar };
    failOnErrorLine(await this.call('POST', `/images/create?${query.toString()}`, { timeoutMs: 120_000, body }));
  }

  /** `docker build` of a context (tar) that holds a Dockerfile. Throws with the failing step's words. */
  async build(reference: string, contextTar: Buffer, args: Readonly<Record<string, string>>): Promise<void> {
    const query = new URLSearchParams({ t: reference, buildargs: JSON.stringify(args), forcerm: 'true' });
    const body = { type: 'application/x-tar', bytes: contextTar };
    failOnErrorLine(await this.call('POST', `/build?${query.toString()}`, { timeoutMs: 120_000, body }));
  }

  /** Names of all containers, running or not, that carry a label. */
  async containersWith(label: string): Promise<readonly { readonly id: string; readonly name: string }[]> {
    const query = new URLSearchParams({ all: 'true', filters: JSON.stringify({ label: [label] }) });
    const found = containersSchema.parse(
      JSON.parse(await this.call('GET', `/containers/json?${query.toString()}`, {})),
    );
    return found.map(({ Id, Names }) => ({ id: Id, name: Names[0]?.replace(/^\//, '') ?? Id.slice(0, 12) }));
  }

  /** Kills and removes a container with its anonymous volumes. One that is gone already is success. */
  async removeContainer(id: string): Promise<void> {
    await this.ignoringMissing('DELETE', `/containers/${id}?force=true&v=true`);
  }

  async removeImage(reference: string): Promise<void> {
    await this.ignoringMissing('DELETE', `/images/${encodeURIComponent(reference)}?force=true`);
  }

  private async ignoringMissing(method: string, path: string): Promise<void> {
    try {
      await this.call(method, path, {});
    } catch (error) {
      if (!(error instanceof EngineError) || error.status !== 404) throw error;
    }
  }

  private call(
    method: string,
    path: string,
    options: { readonly timeoutMs?: number; readonly body?: { readonly type: string; readonly bytes: Buffer } },
  ): Promise<string> {
    const { timeoutMs = CALL_MS, body } = options;
    const headers = body === undefined ? {} : { 'Content-Type': body.type, 'Content-Length': body.bytes.length };
    return new Promise((resolve, reject) => {
      const sent = request(
        { socketPath: this.socketPath, path, method, headers, signal: AbortSignal.timeout(timeoutMs) },
        (answer) => void bodyOf(answer).then((text) => settle(answer.statusCode ?? 0, text), reject),
      );
      const settle = (status: number, text: string) =>
        status < 400 ? resolve(text) : reject(new EngineError(status, messageIn(text)));
      sent.once('error', (error) => reject(explained(error, timeoutMs)));
      sent.end(body?.bytes);
    });
  }
}

/** An answer of the engine that says no. */
export class EngineError extends Error {
  override readonly name = 'EngineError';
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

async function bodyOf(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks).toString('utf8');
}

function explained(error: Error & { code?: string }, timeoutMs: number): Error {
  if (isTimeout(error) || error.code === 'ABORT_ERR')
    return new Error(`no answer within ${timeoutMs / 1000} s`, { cause: error });
  if (error.code === 'EACCES') return new Error('permission denied', { cause: error });
  return error;
}

function messageIn(text: string): string {
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === 'object' && parsed !== null && 'message' in parsed) return String(parsed.message);
  } catch {
    // Not JSON: the text itself is the message.
  }
  return text.trim();
}

/** Pull and build answer 200 at once and tell of failure in their stream of JSON lines. */
function failOnErrorLine(stream: string): void {
  for (const line of stream.split('\n')) {
    if (!line.includes('"error"')) continue;
    const parsed: unknown = JSON.parse(line);
    if (typeof parsed === 'object' && parsed !== null && 'error' in parsed) throw new Error(String(parsed.error));
  }
}
