import { InvalidError } from '../errors';
import type { Attribute, Resource } from './mesos';
import { normalizeRanges, rangePairs } from './resource-ranges';

/** The text form of resources and attributes as Mesos reads it in flags: `cpus:4;mem:8192;ports(role):[8000-9000]`. */

const NUMBER = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i;
const RANGES = /^\[\s*(.*?)\s*\]$/s;
const SET = /^\{\s*(.*?)\s*\}$/s;
const RESOURCE_NAME = /^([^()\s]+?)\s*(?:\(\s*([^()\s]+)\s*\))?$/;

/**
 * `cpus:4;mem:8192;ports(role):[8000-9000,31000-32000];disks:{a,b}` -> Resource[]. Without `(role)` a resource gets
 * `defaultRole`. Throws InvalidError naming the part that cannot be read; text values and negative amounts are refused.
 */
export function parseResources(text: string, defaultRole = '*'): Resource[] {
  return parts(text).map(({ source, name: label, value }) => {
    const match = RESOURCE_NAME.exec(label);
    const name = match?.[1];
    if (name === undefined) throw unreadable(source, 'expected name:value or name(role):value');
    const role = match?.[2] ?? defaultRole;
    const parsed = parseValue(value, source);
    if (parsed.type === 'TEXT') throw unreadable(source, 'the value must be a number, [ranges] or {a,set}');
    if (parsed.type === 'SCALAR' && parsed.scalar.value < 0) throw unreadable(source, 'the amount is negative');
    return { name, role, ...parsed };
  });
}

/** `rack:abc;level:10;keys:[1000-1500]` -> Attribute[]: a number is SCALAR, brackets RANGES, braces SET, the rest TEXT. */
export function parseAttributes(text: string): Attribute[] {
  return parts(text).map(({ source, name, value }) => {
    if (name === '') throw unreadable(source, 'the name is empty');
    return { name, ...parseValue(value, source) };
  });
}

/** The inverse of parseResources; amounts with at most three decimals, roles other than `*` in parentheses. */
export function formatResources(resources: readonly Resource[]): string {
  return resources
    .map((resource) => {
      const role = reservationRoleOf(resource);
      return `${resource.name}${role === undefined ? '' : `(${role})`}:${formatValue(resource)}`;
    })
    .join(';');
}

/** `[31000-32000]`, `[1-5, 7-7]`: as Mesos writes ranges in `/state` (every part as a-b). */
export function formatRanges(flat: readonly number[]): string {
  return `[${rangePairs(flat)
    .map(({ begin, end }) => `${begin}-${end}`)
    .join(', ')}]`;
}

/** The value of an attribute as text, as constraints and `/state` show it. */
export function attributeText(attribute: Attribute): string {
  return attribute.type === 'TEXT' ? (attribute.text?.value ?? '') : formatValue(attribute);
}

/** The role a resource is reserved for; undefined: unreserved. The last of a stack of reservations owns it. */
export function reservationRoleOf(resource: Resource): string | undefined {
  const stack = resource['reservations'];
  if (Array.isArray(stack) && stack.length > 0) {
    const last: unknown = stack[stack.length - 1];
    if (typeof last === 'object' && last !== null && 'role' in last && typeof last.role === 'string') return last.role;
  }
  return resource.role === undefined || resource.role === '*' ? undefined : resource.role;
}

type ParsedValue =
  | { readonly type: 'SCALAR'; readonly scalar: { value: number } }
  | { readonly type: 'RANGES'; readonly ranges: { range: { begin: number; end: number }[] } }
  | { readonly type: 'SET'; readonly set: { item: string[] } }
  | { readonly type: 'TEXT'; readonly text: { value: string } };

function parseValue(value: string, source: string): ParsedValue {
  if (NUMBER.test(value)) return { type: 'SCALAR', scalar: { value: Math.round(Number(value) * 1000) / 1000 } };
  const ranges = RANGES.exec(value);
  if (ranges?.[1] !== undefined) return { type: 'RANGES', ranges: { range: parseRanges(ranges[1], source) } };
  const set = SET.exec(value);
  if (set?.[1] !== undefined) return { type: 'SET', set: { item: [...new Set(list(set[1]))].sort() } };
  if (value === '') throw unreadable(source, 'the value is empty');
  return { type: 'TEXT', text: { value } };
}

function parseRanges(text: string, source: string): { begin: number; end: number }[] {
  const pairs = list(text).map((part) => {
    const match = /^(\d+)(?:\s*-\s*(\d+))?$/.exec(part);
    const begin = Number(match?.[1]);
    const end = Number(match?.[2] ?? match?.[1]);
    if (!Number.isSafeInteger(begin) || !Number.isSafeInteger(end) || end < begin)
      throw unreadable(source, `'${part}' is not a range begin-end`);
    return { begin, end };
  });
  return rangePairs(normalizeRanges(pairs));
}

function list(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

function parts(text: string): { source: string; name: string; value: string }[] {
  return text
    .split(/[;\n]/)
    .map((source) => source.trim())
    .filter((source) => source !== '')
    .map((source) => {
      const cut = source.indexOf(':');
      if (cut === -1) throw unreadable(source, 'expected name:value');
      return { source, name: source.slice(0, cut).trim(), value: source.slice(cut + 1).trim() };
    });
}

function unreadable(source: string, why: string): InvalidError {
  return new InvalidError(
    [{ path: '/', message: `cannot read '${source}': ${why}` }],
    `cannot read '${source}': ${why}`,
  );
}

function formatValue(value: Attribute | Resource): string {
  if (value.type === 'SCALAR') return String(Math.round((value.scalar?.value ?? 0) * 1000) / 1000);
  if (value.type === 'SET') return `{${[...(value.set?.item ?? [])].sort().join(',')}}`;
  const ranges = normalizeRanges(value.ranges?.range ?? []);
  return `[${rangePairs(ranges)
    .map(({ begin, end }) => `${begin}-${end}`)
    .join(',')}]`;
}
