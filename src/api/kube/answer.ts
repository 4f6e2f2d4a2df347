import type { ServerResponse } from 'node:http';
import { LIMITS } from '../../core/limits';

/** A finished answer. */
export interface Answer {
  readonly code: number;
  readonly body: unknown;
  /** Default application/json. */
  readonly contentType?: string;
  readonly warnings?: readonly string[];
  readonly headers?: Readonly<Record<string, string>>;
}

export function ok(body: unknown, warnings?: readonly string[]): Answer {
  return { code: 200, body, ...(warnings === undefined ? {} : { warnings }) };
}

/** Sends an answer. The content type goes out as it is: express would add a charset, which kubectl's discovery does not take. */
export function send(response: ServerResponse, answer: Answer): void {
  const body = Buffer.isBuffer(answer.body)
    ? answer.body
    : Buffer.from(typeof answer.body === 'string' ? answer.body : `${JSON.stringify(answer.body)}\n`);
  const warnings = (answer.warnings ?? []).slice(0, LIMITS.warningHeaders).map(warningHeader);
  response.writeHead(answer.code, {
    'Content-Type': answer.contentType ?? 'application/json',
    'Content-Length': body.length,
    'Cache-Control': 'no-cache, private',
    ...answer.headers,
    ...(warnings.length === 0 ? {} : { Warning: warnings }),
  });
  response.end(body);
}

/** RFC 7234: `299 - "text"`; what a header cannot hold is replaced. */
function warningHeader(text: string): string {
  const safe = text
    .slice(0, LIMITS.warningCharacters)
    .replaceAll(/[^\x20-\x7e]/g, '?')
    .replaceAll(/(["\\])/g, '\\$1');
  return `299 - "${safe}"`;
}
