import { parseSync } from '@swc/core';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

export const SRC = resolve(__dirname, '../../src');

export interface Import {
  /** `core/errors.ts` for a file of ours, else the name of the package (`zod`, `@grpc/grpc-js`, `node:fs`). */
  readonly target: string;
  readonly ours: boolean;
  /** Erased by the compiler: cannot make a cycle at run time. */
  readonly typeOnly: boolean;
}

export interface SourceFile {
  /** Below src: `core/errors.ts`. */
  readonly path: string;
  readonly imports: readonly Import[];
  /** Uses of ambient time, chance and process state: `Date.now`, `new Date()`, `setTimeout`. */
  readonly ambient: readonly string[];
}

/** Every TypeScript file of src, parsed by the compiler that the tests run with. */
export function readSources(): SourceFile[] {
  return readdirSync(SRC, { recursive: true, encoding: 'utf8' })
    .filter((path) => /\.tsx?$/.test(path))
    .sort()
    .map((path) => readSource(path, readFileSync(join(SRC, path), 'utf8')));
}

export function readSource(path: string, text: string): SourceFile {
  const imports: Import[] = [];
  const ambient: string[] = [];
  walk(parseSync(text, { syntax: 'typescript', tsx: path.endsWith('x'), target: 'es2022' }), (node) => {
    const found = importOf(node);
    if (found !== undefined) imports.push({ ...located(path, found.from), typeOnly: found.typeOnly });
    const use = ambientUse(node);
    if (use !== undefined) ambient.push(use);
  });
  return { path, imports, ambient };
}

type Node = Readonly<Record<string, unknown>>;

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null;
}

function walk(value: unknown, visit: (node: Node) => void): void {
  if (!isNode(value)) return;
  if (!Array.isArray(value)) visit(value);
  for (const child of Object.values(value)) walk(child, visit);
}

/** Every way to name another module: import, export from, import(), require(), `import x = require()`, `import('x').T`. */
function importOf(node: Node): { from: string; typeOnly: boolean } | undefined {
  switch (node['type']) {
    case 'ImportDeclaration':
      return named(node['source'], node['typeOnly'] === true || allTypes(node['specifiers']));
    case 'ExportNamedDeclaration':
    case 'ExportAllDeclaration':
      return named(node['source'], node['typeOnly'] === true || allTypes(node['specifiers']));
    case 'TsImportType':
      return named(node['argument'], true);
    case 'TsExternalModuleReference':
      return named(node['expression'], false);
    case 'CallExpression':
      return isLoader(node['callee']) ? named(firstArgument(node), false) : undefined;
    default:
      return undefined;
  }
}

function allTypes(specifiers: unknown): boolean {
  return (
    Array.isArray(specifiers) &&
    specifiers.length > 0 &&
    specifiers.every((specifier: Node) => specifier['isTypeOnly'] === true)
  );
}

function isLoader(callee: unknown): boolean {
  return (
    isNode(callee) &&
    (callee['type'] === 'Import' || (callee['type'] === 'Identifier' && callee['value'] === 'require'))
  );
}

function firstArgument(call: Node): unknown {
  const list = call['arguments'];
  const first: unknown = Array.isArray(list) ? list[0] : undefined;
  return isNode(first) ? first['expression'] : undefined;
}

function named(literal: unknown, typeOnly: boolean): { from: string; typeOnly: boolean } | undefined {
  const from = isNode(literal) && literal['type'] === 'StringLiteral' ? literal['value'] : undefined;
  return typeof from === 'string' ? { from, typeOnly } : undefined;
}

function located(path: string, from: string): { target: string; ours: boolean } {
  if (!from.startsWith('.')) {
    const parts = from.split('/');
    return { target: parts.slice(0, from.startsWith('@') ? 2 : 1).join('/'), ours: false };
  }
  const target = relative(SRC, resolve(SRC, dirname(path), from));
  return { target: /\.(ts|tsx|json)$/.test(target) ? target : `${target}.ts`, ours: true };
}

const AMBIENT_MEMBERS = new Set([
  'Date.now',
  'Math.random',
  'performance.now',
  'process.env',
  'process.hrtime',
  'process.pid',
  'crypto.randomUUID',
  'crypto.getRandomValues',
]);
const AMBIENT_CALLS = new Set(['setTimeout', 'setInterval', 'setImmediate', 'randomUUID', 'randomBytes', 'Date']);

function ambientUse(node: Node): string | undefined {
  if (node['type'] === 'MemberExpression') {
    const name = `${identifier(node['object'])}.${identifier(node['property'])}`;
    return AMBIENT_MEMBERS.has(name) ? name : undefined;
  }
  if (node['type'] === 'NewExpression' && identifier(node['callee']) === 'Date') {
    const list = node['arguments'];
    return Array.isArray(list) && list.length > 0 ? undefined : 'new Date()';
  }
  if (node['type'] !== 'CallExpression') return undefined;
  const callee = identifier(node['callee']);
  return AMBIENT_CALLS.has(callee) ? `${callee}()` : undefined;
}

function identifier(node: unknown): string {
  return isNode(node) && node['type'] === 'Identifier' ? String(node['value']) : '';
}
