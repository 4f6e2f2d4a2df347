import { badRequest } from './status';

/** Decides over one object; built once per request. */
export type LabelSelector = (labels: Readonly<Record<string, string>>) => boolean;
export type FieldSelector = (field: (path: string) => string) => boolean;

type Requirement =
  | { readonly op: 'in' | 'notin'; readonly key: string; readonly values: readonly string[] }
  | { readonly op: 'exists' | 'absent'; readonly key: string };

const KEY = /^[A-Za-z0-9](?:[-A-Za-z0-9_./]*[A-Za-z0-9])?$/;
const VALUE = /^(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?)?$/;

/**
 * Kubernetes' label selector: `a=b`, `a==b`, `a!=b`, `a in (x,y)`, `a notin (x,y)`, `a`, `!a`, joined by commas that all
 * must hold. As in Kubernetes `!=` and `notin` also match objects without the label. Throws 400.
 */
export function parseLabelSelector(text: string): LabelSelector {
  const requirements = splitOutsideParentheses(text)
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map(parseRequirement);
  return (labels) => requirements.every((requirement) => holds(requirement, labels));
}

function splitOutsideParentheses(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  for (let index = 0; index < text.length; index++) {
    const char = text[index];
    if (char === '(') depth++;
    if (char === ')') depth--;
    if (char !== ',' || depth !== 0) continue;
    parts.push(text.slice(start, index));
    start = index + 1;
  }
  if (depth !== 0) throw badRequest(`unable to parse requirement: unbalanced parentheses in "${text}"`);
  return [...parts, text.slice(start)];
}

function parseRequirement(part: string): Requirement {
  const set = /^(\S+)\s+(in|notin)\s*\(([^()]*)\)$/.exec(part);
  if (set !== null) {
    const values = (set[3] ?? '').split(',').map((value) => checkedValue(value.trim()));
    return { op: set[2] === 'in' ? 'in' : 'notin', key: checkedKey(set[1] ?? ''), values };
  }
  const equality = /^([^=!\s]+)\s*(==|=|!=)\s*(\S*)$/.exec(part);
  if (equality !== null) {
    const values = [checkedValue(equality[3] ?? '')];
    return { op: equality[2] === '!=' ? 'notin' : 'in', key: checkedKey(equality[1] ?? ''), values };
  }
  if (part.startsWith('!')) return { op: 'absent', key: checkedKey(part.slice(1).trim()) };
  return { op: 'exists', key: checkedKey(part) };
}

function checkedKey(key: string): string {
  if (!KEY.test(key)) throw badRequest(`unable to parse requirement: "${key}" is not a label key`);
  return key;
}

function checkedValue(value: string): string {
  if (!VALUE.test(value)) throw badRequest(`unable to parse requirement: "${value}" is not a label value`);
  return value;
}

function holds(requirement: Requirement, labels: Readonly<Record<string, string>>): boolean {
  const value = Object.hasOwn(labels, requirement.key) ? labels[requirement.key] : undefined;
  switch (requirement.op) {
    case 'exists':
      return value !== undefined;
    case 'absent':
      return value === undefined;
    case 'in':
      return value !== undefined && requirement.values.includes(value);
    case 'notin':
      return value === undefined || !requirement.values.includes(value);
  }
}

/**
 * Kubernetes' field selector: `path=value`, `path==value`, `path!=value`, joined by commas. `\,`, `\=` and `\\` stand for
 * themselves in values. A field that is not in `supported` is refused (400), so that a typing error does not select all.
 */
export function parseFieldSelector(text: string, supported: ReadonlySet<string>): FieldSelector {
  const terms = text
    .split(/(?<!\\),/)
    .filter((part) => part !== '')
    .map((part) => parseTerm(part, supported));
  return (field) => terms.every(({ path, equal, value }) => (field(path) === value) === equal);
}

function parseTerm(part: string, supported: ReadonlySet<string>) {
  const match = /^([^=!]+)(==|=|!=)(.*)$/.exec(part);
  const path = match?.[1]?.trim();
  if (path === undefined) throw badRequest(`invalid selector: "${part}"; can't understand "${part}"`);
  if (!supported.has(path)) {
    const known = [...supported].sort().join(', ');
    throw badRequest(`field label not supported: ${path} (supported: ${known})`);
  }
  return { path, equal: match?.[2] !== '!=', value: (match?.[3] ?? '').replaceAll(/\\([\\,=])/g, '$1') };
}
