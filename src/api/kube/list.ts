import { CompactedError, UnavailableError } from '../../core/errors';
import { LIMITS } from '../../core/limits';
import type { Records } from '../../core/ports/records';
import type { JsonObject } from './json';
import { type Continue, decodeContinue, encodeContinue, type Filter, numberOf } from './query';
import type { Item, Source } from './source';
import { badRequest, expired, KubeError } from './status';

export interface Listed {
  readonly items: readonly Item[];
  readonly metadata: JsonObject;
  readonly warnings: readonly string[];
}

const STALE = 'the store does not answer: what is shown may be out of date';
const EXPIRED =
  'The provided continue parameter is too old to display a consistent list result; list again from the start';

/**
 * Makes the mirror as fresh as `resourceVersion` asks: absent is everything committed by now, `0` is whatever there is, a
 * number is at least that. Without the store, reads go on and the returned warnings say so.
 */
export async function refresh(records: Records, resourceVersion: string | null): Promise<readonly string[]> {
  const asked = resourceVersion ?? '';
  if (asked !== '' && !/^\d+$/.test(asked))
    throw badRequest(`invalid resource version "${asked}": it must be a number`);
  if (asked !== '' && Number(asked) <= records.revision()) return records.isFresh() ? [] : [STALE];
  if (!records.isFresh()) return [STALE];
  try {
    await records.sync();
  } catch (error) {
    if (error instanceof UnavailableError) return [STALE];
    throw error;
  }
  if (Number(asked) > records.revision())
    throw new KubeError(504, 'Timeout', `Too large resource version: ${asked}, current: ${records.revision()}`, {
      retryAfterSeconds: 1,
      causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
    });
  return [];
}

/** A list as asked for: from the mirror when it fits in one page, else page by page from the store at one revision. */
export async function listItems(
  source: Source,
  records: Records,
  query: URLSearchParams,
  filter: Filter,
  namespace: string | undefined,
): Promise<Listed> {
  const limit = numberOf(query, 'limit') ?? 0;
  const token = query.get('continue') ?? '';
  if (token !== '') return nextPage(source, limit, filter, decodeContinue(token));
  const exact = query.get('resourceVersionMatch') === 'Exact';
  if (exact && source.page !== undefined) return exactList(source, limit, filter, query.get('resourceVersion') ?? '');
  const warnings = await refresh(records, query.get('resourceVersion'));
  const items = source.list(namespace).filter(filter);
  if (limit > 0 && items.length > limit && source.page !== undefined)
    return { ...(await nextPage(source, limit, filter)), warnings };
  return { items, metadata: { resourceVersion: String(records.revision()) }, warnings };
}

async function exactList(source: Source, limit: number, filter: Filter, resourceVersion: string): Promise<Listed> {
  if (!/^[1-9]\d*$/.test(resourceVersion)) throw badRequest('resourceVersionMatch Exact needs a resourceVersion');
  return nextPage(source, limit, filter, { revision: Number(resourceVersion), after: '' });
}

async function nextPage(source: Source, limit: number, filter: Filter, from?: Continue): Promise<Listed> {
  const found: Item[] = [];
  let revision = from?.revision;
  let after = from?.after ?? '';
  try {
    for (;;) {
      const page = await source.page?.({
        limit: LIMITS.listPageEntries,
        ...(after === '' ? {} : { after }),
        ...(revision === undefined ? {} : { revision }),
      });
      if (page === undefined) throw badRequest('continue key is not valid');
      revision = page.revision;
      for (const item of page.items) {
        if (limit > 0 && found.length === limit && filter(item)) return paged(found, revision, after);
        after = item.path;
        if (filter(item)) found.push(item);
      }
      if (!page.more) return { items: found, metadata: { resourceVersion: String(revision) }, warnings: [] };
    }
  } catch (error) {
    if (error instanceof CompactedError) throw expired(EXPIRED);
    throw error;
  }
}

function paged(items: readonly Item[], revision: number, after: string): Listed {
  const metadata = { resourceVersion: String(revision), continue: encodeContinue({ revision, after }) };
  return { items, metadata, warnings: [] };
}
