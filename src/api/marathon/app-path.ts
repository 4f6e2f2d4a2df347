import { idOf } from './ids';

/** What the path behind /v2/apps means. Suffixes win over ids (Marathon). */
export type AppPath =
  | { readonly kind: 'all' }
  | { readonly kind: 'app'; readonly id: string }
  | { readonly kind: 'group'; readonly id: string }
  | { readonly kind: 'groupTasks'; readonly id: string }
  | { readonly kind: 'restart'; readonly id: string }
  | { readonly kind: 'tasks'; readonly id: string }
  | { readonly kind: 'task'; readonly id: string; readonly taskId: string }
  | { readonly kind: 'versions'; readonly id: string }
  | { readonly kind: 'version'; readonly id: string; readonly version: string };

export function parseAppPath(segments: readonly string[]): AppPath {
  if (segments.length === 0) return { kind: 'all' };
  const last = segments.at(-1) ?? '';
  const beforeLast = segments.at(-2);
  const id = idOf(segments.slice(0, -1));
  const longId = idOf(segments.slice(0, -2));
  if (last === '*') return { kind: 'group', id };
  if (last === 'tasks' && beforeLast === '*') return { kind: 'groupTasks', id: longId };
  if (segments.length > 1) {
    if (last === 'restart' || last === 'tasks' || last === 'versions') return { kind: last, id };
  }
  if (segments.length > 2) {
    if (beforeLast === 'tasks') return { kind: 'task', id: longId, taskId: last };
    if (beforeLast === 'versions') return { kind: 'version', id: longId, version: last };
  }
  return { kind: 'app', id: idOf(segments) };
}
