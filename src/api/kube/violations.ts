import type { z } from 'zod';
import { invalid, type StatusCause, type Subject } from './status';

/** Causes shown for one object; more help nobody. */
const CAUSES_MAX = 50;

/**
 * Parses a part of an object; what the schema refuses becomes a 422 with a cause per problem, named by its field.
 * @param at the field the value is at, such as `spec`
 */
export function parsed<T>(schema: z.ZodType<T>, value: unknown, subject: Subject, at: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw invalid(subject, causesOf(result.error.issues, value, at).slice(0, CAUSES_MAX));
}

/** Problems by field. */
export function causesOf(issues: readonly z.core.$ZodIssue[], value: unknown, at: string): StatusCause[] {
  return issues.flatMap((issue) => {
    if (issue.code === 'invalid_union') {
      const branch = bestBranch(issue.errors);
      if (branch !== undefined) return causesOf(branch, get(value, issue.path), fieldText(at, issue.path));
    }
    const found = get(value, issue.path);
    const field = fieldText(at, issue.path);
    if (found === undefined) return [{ reason: 'FieldValueRequired', message: 'Required value', field }];
    const text = issue.message.replace(/^Invalid (?:input|option|string): /, '');
    return [{ reason: 'FieldValueInvalid', message: `Invalid value: ${shown(found)}: ${text}`, field }];
  });
}

/** The alternative the user seems to have meant: the one whose problems lie deepest. */
function bestBranch(errors: readonly (readonly z.core.$ZodIssue[])[]): readonly z.core.$ZodIssue[] | undefined {
  const depth = (branch: readonly z.core.$ZodIssue[]) => Math.max(0, ...branch.map((issue) => issue.path.length));
  const deepest = [...errors].sort((a, b) => depth(b) - depth(a))[0];
  return deepest !== undefined && depth(deepest) > 0 ? deepest : undefined;
}

function get(value: unknown, path: readonly PropertyKey[]): unknown {
  let result = value;
  for (const key of path) {
    if (typeof result !== 'object' || result === null) return undefined;
    result = Reflect.get(result, key);
  }
  return result;
}

function fieldText(at: string, path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (text, key) => (typeof key === 'number' ? `${text}[${key}]` : `${text}.${String(key)}`),
    at,
  );
}

/** Characters of a wrong value that are repeated to its sender. */
const SHOWN_MAX = 80;

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'undefined';
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}...` : text;
}
