/** The layout of src as data (design: Roles around a pure core). A path is matched by the longest prefix in the table. */
export interface FolderRule {
  /** Prefixes of src it may import from, itself aside. `''`: everything. */
  readonly mayImport: readonly string[];
  /** Why, for whoever breaks it. */
  readonly because: string;
  /** Whether it may use the machine's clock, chance, timers and node's modules. */
  readonly world: 'pure' | 'timeless' | 'free';
}

const ROLE =
  'a role decides over records and ports only, so that the simulation can run it, and reaches other roles only through core/ports';
const FACE = 'a face translates between its wire form and the records; it knows api/http, its own role and core';

export const FOLDERS: Readonly<Record<string, FolderRule>> = {
  core: {
    mayImport: [],
    because: 'core decides: no I/O, no clock, no chance, nothing that must be faked',
    world: 'pure',
  },
  io: { mayImport: ['core'], because: 'io implements the ports of core and knows nobody who uses them', world: 'free' },
  master: { mayImport: ['core'], because: ROLE, world: 'pure' },
  orchestrator: { mayImport: ['core'], because: ROLE, world: 'pure' },
  agent: { mayImport: ['core'], because: ROLE, world: 'pure' },
  'api/http': { mayImport: ['core'], because: 'api/http serves every face and knows none of them', world: 'free' },
  'api/mesos': { mayImport: ['api/http', 'master', 'core'], because: FACE, world: 'timeless' },
  'api/marathon': { mayImport: ['api/http', 'orchestrator', 'core'], because: FACE, world: 'timeless' },
  'api/kube': { mayImport: ['api/http', 'orchestrator', 'core'], because: FACE, world: 'timeless' },
  'api/agent': { mayImport: ['api/http', 'agent', 'core'], because: FACE, world: 'timeless' },
  cli: { mayImport: ['core/records'], because: 'clients speak HTTP: what they can do, everybody can', world: 'free' },
  ui: { mayImport: ['core/records'], because: 'clients speak HTTP: what they can do, everybody can', world: 'free' },
  compose: { mayImport: [''], because: 'the composition root builds everything', world: 'free' },
  'main.ts': { mayImport: [''], because: 'the composition root builds everything', world: 'free' },
};

/** Packages and the only places they may be used in: one home each, so that one folder knows its quirks. */
export const PACKAGE_HOMES: Readonly<Record<string, readonly string[]>> = {
  zod: [''], // the schema library is the language records are written in
  etcd3: ['io/etcd'],
  '@grpc/grpc-js': ['io/etcd'],
  '@grpc/proto-loader': ['io/etcd'],
  dockerode: ['io/docker'],
  'prom-client': ['io/metrics'],
  winston: ['io/log'],
  express: ['api', 'compose'],
  ws: ['api'],
  yaml: ['api/kube'],
  'fast-json-patch': ['api/kube'],
  selfsigned: ['api/kube'],
  'tar-stream': ['io/docker', 'cli'],
  yargs: ['cli'],
};

/** Third-party packages of the pure folders. */
export const PURE_PACKAGES: readonly string[] = ['zod'];

export function isInside(path: string, prefix: string): boolean {
  return prefix === '' || path === prefix || path.startsWith(`${prefix}/`);
}

/** The rule a file is under; undefined: it lies where nothing should. */
export function folderOf(path: string): string | undefined {
  return Object.keys(FOLDERS)
    .filter((folder) => isInside(path, folder))
    .sort((a, b) => b.length - a.length)[0];
}
