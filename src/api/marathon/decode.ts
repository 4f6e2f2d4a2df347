import type { z } from 'zod';
import { InvalidError, type Violation } from '../../core/errors';
import { isObject } from './json';

export interface Decoded<T> {
  readonly value: T;
  /** Paths of fields that Marathon does not know. They are left out of `value`. */
  readonly unknown: readonly string[];
}

/**
 * Reads a value by a schema of strict objects. Unknown fields are no error (Marathon ignores them) but are named. Throws
 * InvalidError with the message and codes of Marathon's JSON decoder.
 * @param prefix path of the value in the body: `` or `(2)`
 */
export function decode<T>(schema: z.ZodType<T>, raw: unknown, prefix = ''): Decoded<T> {
  const first = schema.safeParse(raw);
  if (first.success) return { value: first.data, unknown: [] };
  const { unknown, violations } = sort(first.error.issues, raw, prefix);
  if (violations.length > 0) throw new InvalidError(violations, 'Invalid JSON');
  const known = unknown.reduce((value, path) => without(value, path), raw);
  const second = schema.safeParse(known);
  if (!second.success) throw new InvalidError(sort(second.error.issues, known, prefix).violations, 'Invalid JSON');
  return { value: second.data, unknown: unknown.map((path) => prefix + pathText(path)) };
}

type Path = readonly PropertyKey[];

function sort(issues: readonly z.core.$ZodIssue[], raw: unknown, prefix: string) {
  const unknown: Path[] = [];
  const violations: Violation[] = [];
  for (const issue of issues) {
    if (issue.code === 'unrecognized_keys') unknown.push(...issue.keys.map((key) => [...issue.path, key]));
    else violations.push({ path: prefix + pathText(issue.path), message: codeOf(issue, at(raw, issue.path)) });
  }
  return { unknown, violations };
}

/** Marathon (Play JSON): `/` for the whole, `/container/portMappings(0)/name`. */
export function pathText(path: Path): string {
  if (path.length === 0) return '/';
  return path.map((step) => (typeof step === 'number' ? `(${step})` : `/${String(step)}`)).join('');
}

const EXPECTED: Readonly<Record<string, string>> = {
  string: 'error.expected.jsstring',
  number: 'error.expected.jsnumber',
  boolean: 'error.expected.jsboolean',
  array: 'error.expected.jsarray',
  object: 'error.expected.jsobject',
  record: 'error.expected.jsobject',
  int: 'error.expected.int',
};

function codeOf(issue: z.core.$ZodIssue, value: unknown): string {
  if (value === undefined && issue.code !== 'custom') return 'error.path.missing';
  switch (issue.code) {
    case 'invalid_type':
      return EXPECTED[issue.expected] ?? issue.message;
    case 'too_small':
      return isLength(issue.origin) ? 'error.minLength' : 'error.min';
    case 'too_big':
      return isLength(issue.origin) ? 'error.maxLength' : 'error.max';
    case 'invalid_format':
      return 'error.pattern';
    case 'invalid_value':
      return typeof value === 'string' ? 'error.unknown.enum.literal' : 'error.expected.jsstring';
    case 'invalid_key':
      return 'error.minLength';
    case 'custom':
    case 'invalid_element':
    case 'invalid_union':
    case 'not_multiple_of':
    case 'unrecognized_keys':
      return issue.message;
  }
}

function isLength(origin: string): boolean {
  return origin === 'string' || origin === 'array';
}

function at(raw: unknown, path: Path): unknown {
  return path.reduce<unknown>((value, step) => (value as Record<PropertyKey, unknown> | undefined)?.[step], raw);
}

/** A copy without the field at `path`. */
function without(value: unknown, path: Path): unknown {
  const [step, ...rest] = path;
  if (Array.isArray(value)) return value.map((item, i) => (i === step ? without(item, rest) : item));
  if (!isObject(value)) return value;
  const entries = Object.entries(value);
  if (rest.length === 0) return Object.fromEntries(entries.filter(([name]) => name !== step));
  return Object.fromEntries(entries.map(([name, field]) => [name, name === step ? without(field, rest) : field]));
}
