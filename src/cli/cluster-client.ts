import { z } from 'zod';
import { isTimeout, rootCause, textOf } from './error-text';

/** Milliseconds until a question to the cluster is given up. */
const ANSWER_MS = 15_000;

const errorBody = z.looseObject({ message: z.string() });

/** A cluster that does not answer, or says no; the message is for the person at the terminal. */
export class ClusterError extends Error {
  override readonly name = 'ClusterError';
  constructor(
    message: string,
    /** Status of the answer; absent when there was none. */
    readonly status?: number,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** Calls of one cluster's HTTP APIs. Never follows redirects to other hosts with the secret. */
export class ClusterClient {
  constructor(
    readonly url: string,
    private readonly token?: string,
  ) {}

  /** GET, parsed with `schema`. Throws ClusterError. */
  async get<T>(path: string, schema: z.ZodType<T>): Promise<T> {
    const answer = await this.fetch(`${this.url}${path}`, { signal: AbortSignal.timeout(ANSWER_MS) });
    return understood(path, schema, await bodyOf(answer));
  }

  /** PUT of a JSON text. Throws ClusterError with the server's own words. */
  async put(path: string, json: string): Promise<void> {
    await this.fetch(`${this.url}${path}`, {
      method: 'PUT',
      headers: { 'Content-Type': 'application/json' },
      body: json,
      signal: AbortSignal.timeout(ANSWER_MS),
    });
  }

  /** An open stream of text from any process of the cluster; ends when `signal` aborts. Throws ClusterError. */
  async stream(url: string, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
    const { body } = await this.fetch(url, { signal });
    if (body === null) throw new ClusterError(`${url} answered without a body`);
    return body;
  }

  private async fetch(url: string, init: RequestInit): Promise<Response> {
    const headers = new Headers(init.headers);
    if (this.token !== undefined) headers.set('Authorization', `Bearer ${this.token}`);
    let answer: Response;
    try {
      answer = await fetch(url, { ...init, headers, redirect: 'manual' });
    } catch (error) {
      throw new ClusterError(`${new URL(url).origin} does not answer: ${reasonOf(error)}`, undefined, { cause: error });
    }
    if (answer.ok) return answer;
    throw new ClusterError(await refusal(answer, this.token !== undefined), answer.status);
  }
}

async function bodyOf(answer: Response): Promise<unknown> {
  const text = await answer.text();
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ClusterError(`${answer.url} did not answer JSON: is it a Berth server?`, answer.status, { cause: error });
  }
}

function understood<T>(path: string, schema: z.ZodType<T>, body: unknown): T {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const where = parsed.error.issues[0]?.path.join('.') ?? '';
  throw new ClusterError(
    `the answer of ${path} is not as expected (at "${where}"): server and command line differ in version?`,
  );
}

async function refusal(answer: Response, withToken: boolean): Promise<string> {
  if (answer.status === 401)
    return withToken ? 'the cluster does not accept this secret' : 'the cluster wants a secret: give --token-file FILE';
  const text = await answer.text().catch(() => '');
  return `${new URL(answer.url).pathname}: ${messageIn(text) ?? answer.statusText} (HTTP ${answer.status})`;
}

function messageIn(text: string): string | undefined {
  try {
    return errorBody.parse(JSON.parse(text)).message;
  } catch {
    return text.trim() === '' ? undefined : text.trim().slice(0, 300);
  }
}

function reasonOf(error: unknown): string {
  const cause = rootCause(error);
  return isTimeout(cause) ? `nothing heard within ${ANSWER_MS / 1000} s` : textOf(cause);
}
