import type { Request } from 'express';

/** The query of a request, repeated names kept. */
export function queryOf(request: Request): URLSearchParams {
  const cut = request.originalUrl.indexOf('?');
  return new URLSearchParams(cut === -1 ? '' : request.originalUrl.slice(cut + 1));
}

/** A boolean of the query as Java reads one: `true` in any case, everything else is false; absent: `otherwise`. */
export function flag(query: URLSearchParams, name: string, otherwise = false): boolean {
  const value = query.get(name);
  return value === null ? otherwise : value.toLowerCase() === 'true';
}
