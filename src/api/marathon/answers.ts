import { once } from 'node:events';
import { setImmediate as yieldToOthers } from 'node:timers/promises';
import type { Response } from 'express';
import { LIMITS } from '../../core/limits';
import type { RolloutStarted } from '../../core/ports/app-service';

/** Characters and items made between two looks at other requests: a millisecond or two. */
const PIECE_CHARACTERS = 65_536;
const PIECE_ITEMS = 100;

/** Marathon: every change of state answers `{version, deploymentId}` and the header. */
export function answerRollout(response: Response, started: RolloutStarted, status = 200): void {
  announce(response, started);
  response.status(status).json({ version: started.version, deploymentId: started.rolloutId });
}

/** The headers of a change: its deployment, and what the user should know. */
export function announce(response: Response, started: RolloutStarted): void {
  response.setHeader('Marathon-Deployment-Id', started.rolloutId);
  warn(response, started.warnings);
}

/** RFC 7234 section 5.5: one `Warning: 299` header for each text; bounded in number and length. */
export function warn(response: Response, texts: readonly string[]): void {
  if (texts.length === 0) return;
  const before = response.getHeader('Warning');
  const all = [...(Array.isArray(before) ? before : []), ...texts.map((text) => `299 berth "${headerText(text)}"`)];
  response.setHeader('Warning', all.slice(0, LIMITS.warningHeaders));
}

/** Printable ASCII without what would end the quoted string. */
function headerText(text: string): string {
  return text
    .replace(/["\\]/g, "'")
    .replace(/[^\x20-\x7e]/g, '?')
    .slice(0, LIMITS.warningCharacters);
}

export function unknownFields(paths: readonly string[]): string[] {
  return paths.map((path) => `unknown field ${path} was ignored`);
}

/**
 * A long list as JSON, made and sent piece by piece: the event loop stays free and the whole text is never in memory. The list
 * is what it was at the call, each item is shown as it is when its turn comes.
 * @param viewsOf what one item adds to the list; may be nothing
 */
export async function sendList<T>(
  response: Response,
  items: readonly T[],
  viewsOf: (item: T) => readonly unknown[],
  wrap: { readonly before: string; readonly after: string } = { before: '[', after: ']' },
): Promise<void> {
  response.status(200).type('application/json');
  let text = wrap.before;
  let separator = '';
  for (const item of items) {
    for (const view of viewsOf(item)) {
      text += separator + JSON.stringify(view);
      separator = ',';
    }
    if (text.length < PIECE_CHARACTERS) continue;
    if (!(await written(response, text))) return;
    text = '';
  }
  response.end(text + wrap.after);
}

/** The same work on every item, with looks at other requests in between. */
export async function mapInPieces<T, U>(items: readonly T[], map: (item: T) => U): Promise<U[]> {
  const results: U[] = [];
  for (const item of items) {
    results.push(map(item));
    if (results.length % PIECE_ITEMS === 0) await yieldToOthers();
  }
  return results;
}

/** False: the client has gone. */
async function written(response: Response, text: string): Promise<boolean> {
  if (response.destroyed) return false;
  if (!response.write(text)) {
    const gone = new AbortController();
    const stop = () => gone.abort();
    response.once('close', stop);
    await once(response, 'drain', { signal: gone.signal }).catch(() => undefined);
    response.off('close', stop);
  }
  await yieldToOthers();
  return !response.destroyed;
}
