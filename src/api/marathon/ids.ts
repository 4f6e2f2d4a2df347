import { BadRequestError } from '../../core/errors';

/**
 * An id as users write it, made absolute: relative to `base`, `.` and `..` taken as steps, doubled and trailing slashes
 * dropped. `/` for the root.
 */
export function resolveId(text: string, base = '/'): string {
  const steps = (text.startsWith('/') ? text : `${base}/${text}`).split('/');
  const segments: string[] = [];
  for (const step of steps) {
    if (step === '..') segments.pop();
    else if (step !== '' && step !== '.') segments.push(step);
  }
  return `/${segments.join('/')}`;
}

/** `/prod` for `/prod/web`, `/` for `/web`. */
export function parentId(id: string): string {
  return id.slice(0, Math.max(id.lastIndexOf('/'), 1));
}

/** Whether `id` is `group` or somewhere below it. */
export function isBelow(id: string, group: string): boolean {
  return group === '/' || id === group || id.startsWith(`${group}/`);
}

/** Path segments behind `mount` (`/v2/apps`), percent-decoded; `//prod/web` and `%2Fprod%2Fweb` are the same app. */
export function segmentsAfter(mount: string, originalUrl: string): string[] {
  const path = originalUrl.split('?', 1)[0] ?? '';
  const tail = path.replace(/\/+/g, '/').slice(mount.length);
  try {
    return resolveId(decodeURIComponent(tail)).split('/').filter(Boolean);
  } catch {
    throw new BadRequestError(`The path '${tail}' cannot be decoded`);
  }
}

/** `a`, `b` -> `/a/b`. */
export function idOf(segments: readonly string[]): string {
  return `/${segments.join('/')}`;
}
