import { existsSync, readdirSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join } from 'node:path';
import { FOLDERS, folderOf, isInside, PACKAGE_HOMES, PURE_PACKAGES } from './rules';
import { readSource, readSources, SRC, type SourceFile } from './source';

const sources = readSources();

test('there is something to look at', () => {
  expect(sources.length).toBeGreaterThan(20);
  expect(sources.flatMap((source) => source.imports).length).toBeGreaterThan(sources.length);
});

test('every file lies in a folder that has rules', () => {
  expect(sources.map(({ path }) => path).filter((path) => folderOf(path) === undefined)).toEqual([]);
});

test('folders import only what the table allows', () => {
  expect(sources.flatMap(forbiddenImports)).toEqual([]);
});

test('packages stay in their homes, and the pure folders use neither packages nor node', () => {
  expect(sources.flatMap(forbiddenPackages)).toEqual([]);
});

test('time and chance come in through ports', () => {
  expect(sources.flatMap(forbiddenAmbient)).toEqual([]);
});

test('no import cycles', () => {
  expect(cycles(sources)).toEqual([]);
});

test('every folder says in a README what it owns', () => {
  const folders = readdirSync(SRC, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) => (name === 'api' ? subfolders('api') : [name]));
  expect(folders.filter((folder) => !existsSync(join(SRC, folder, 'README.md')))).toEqual([]);
});

describe('the test itself sees', () => {
  test.each<[string, string]>([
    [`import { x } from '../io/etcd/store';`, 'io/etcd/store.ts'],
    [`import type { X } from '../io/etcd/store';`, 'io/etcd/store.ts'],
    [`export * from '../io/etcd/store';`, 'io/etcd/store.ts'],
    [`export { x } from '../io/etcd/store';`, 'io/etcd/store.ts'],
    [`const x = await import('../io/etcd/store');`, 'io/etcd/store.ts'],
    [`const x = require('../io/etcd/store');`, 'io/etcd/store.ts'],
    [`import x = require('../io/etcd/store');`, 'io/etcd/store.ts'],
    [`let x: import('../io/etcd/store').X;`, 'io/etcd/store.ts'],
    [`import '@grpc/grpc-js/build/src';`, '@grpc/grpc-js'],
  ])('%s', (text, target) => {
    const source = readSource('master/x.ts', text);
    expect(source.imports.map((found) => found.target)).toEqual([target]);
    expect([...forbiddenImports(source), ...forbiddenPackages(source)]).toHaveLength(1);
  });

  test.each([
    'Date.now()',
    'new Date()',
    'Math.random()',
    'setTimeout(f, 1)',
    'performance.now()',
    'randomUUID()',
    'process.env',
  ])('%s', (text) => {
    expect(forbiddenAmbient(readSource('core/x.ts', `const x = ${text};`))).toHaveLength(1);
  });

  test('but not comments, texts, and dates made of something', () => {
    const text = `// import '../io/x'; Date.now()\nconst x = "import '../io/y'"; const d = new Date(5);`;
    expect(readSource('core/x.ts', text)).toMatchObject({ imports: [], ambient: [] });
  });

  test('cycles', () => {
    const a = readSource('core/a.ts', `import { b } from './b';`);
    const b = readSource('core/b.ts', `import { c } from './c';`);
    const c = readSource('core/c.ts', `import { a } from './a';`);
    expect(cycles([a, b, c])).toEqual(['core/a.ts -> core/b.ts -> core/c.ts -> core/a.ts']);
    expect(cycles([a, b, readSource('core/c.ts', `import type { a } from './a';`)])).toEqual([]);
  });
});

function forbiddenImports({ path, imports }: SourceFile): string[] {
  const folder = folderOf(path);
  const rule = folder === undefined ? undefined : FOLDERS[folder];
  if (folder === undefined || rule === undefined) return [];
  return imports
    .filter(({ ours, target }) => ours && ![folder, ...rule.mayImport].some((prefix) => isInside(target, prefix)))
    .map(({ target }) => `${path} imports ${target}: ${rule.because}`);
}

function forbiddenPackages({ path, imports }: SourceFile): string[] {
  const world = FOLDERS[folderOf(path) ?? '']?.world;
  return imports
    .filter(({ ours }) => !ours)
    .flatMap(({ target }) => {
      if (target.startsWith('node:') || builtinModules.includes(target))
        return world === 'pure'
          ? [`${path} imports ${target}: it has no I/O of its own; make it a port in core/ports`]
          : [];
      if (world === 'pure' && !PURE_PACKAGES.includes(target))
        return [`${path} imports ${target}: the pure folders use ${PURE_PACKAGES.join(', ')} and nothing else`];
      const homes = PACKAGE_HOMES[target];
      if (homes === undefined)
        return [`${path} imports ${target}: give it a home in test/architecture/rules.ts, with a reason`];
      return homes.some((home) => isInside(path, home))
        ? []
        : [`${path} imports ${target}: its home is ${homes.join(', ')}, and its quirks stay there`];
    });
}

function forbiddenAmbient({ path, ambient }: SourceFile): string[] {
  if (FOLDERS[folderOf(path) ?? '']?.world === 'free') return [];
  return ambient.map((use) => `${path} uses ${use}: take it from the ports Clock, Random, IdSource, or as a parameter`);
}

function subfolders(folder: string): string[] {
  return readdirSync(join(SRC, folder), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => `${folder}/${name}`);
}

/** Each cycle once, as the path around it. Imports of types alone vanish and are not counted. */
function cycles(files: readonly SourceFile[]): string[] {
  const edges = new Map(
    files.map(({ path, imports }) => [path, imports.filter((i) => i.ours && !i.typeOnly).map(({ target }) => target)]),
  );
  const done = new Set<string>();
  const found: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path);
    if (at !== -1) found.push([...trail.slice(at), path].join(' -> '));
    if (at !== -1 || done.has(path)) return;
    for (const next of edges.get(path) ?? []) visit(next, [...trail, path]);
    done.add(path);
  };
  for (const { path } of files) visit(path, []);
  return found;
}
