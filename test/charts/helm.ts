import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { parseAllDocuments } from 'yaml';

export const CHART = resolve(process.cwd(), 'charts/berth');
/** Where `npm run setup:helm` puts what it builds. */
export const TOOLS = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'berth/tools');
const TIMEOUT_MS = 60_000;

/** Where `npm run setup:helm` put a tool, or where the PATH has it. */
export function toolPath(name: string): string | undefined {
  const folders = [TOOLS, ...(process.env['PATH'] ?? '').split(delimiter)];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

/** `describe`, or `describe.skip` after saying aloud what is missing. */
export function describeWith(...tools: readonly string[]): jest.Describe {
  const missing = tools.filter((name) => toolPath(name) === undefined);
  if (missing.length === 0) return describe;
  const how = missing.includes('kube-apiserver') ? 'npm run setup:helm -- apiserver' : 'npm run setup:helm';
  process.stderr.write(`SKIPPED, tests of the Helm chart: ${missing.join(', ')} not found (${how} builds with Go)\n`);
  return describe.skip;
}

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a tool to its end; its exit code is an answer, not an error. */
export function run(
  tool: string,
  args: readonly string[],
  options: { readonly input?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Ran {
  try {
    const out = execFileSync(toolPath(tool) ?? tool, args, {
      encoding: 'utf8',
      timeout: TIMEOUT_MS,
      maxBuffer: 64 * 1024 * 1024,
      stdio: 'pipe',
      env: { ...process.env, ...options.env },
      ...(options.input === undefined ? {} : { input: options.input }),
    });
    return { code: 0, out, err: '' };
  } catch (error) {
    const failed = error as { status?: number | null; stdout?: string; stderr?: string };
    return { code: failed.status ?? -1, out: failed.stdout ?? '', err: failed.stderr ?? String(error) };
  }
}

/** As `run`, but whatever is not success is an error with the tool's words. */
export function must(...args: Parameters<typeof run>): string {
  const { code, out, err } = run(...args);
  if (code !== 0) throw new Error(`${args[0]} ${args[1].join(' ')} ended with ${code}: ${err}${out}`);
  return out;
}

export const ciFile = (name: string): string => join(CHART, 'ci', `${name}-values.yaml`);

/** Release `rel` in namespace `space`. */
export function template(args: readonly string[], release = 'rel'): Ran {
  return run('helm', ['template', release, CHART, '--namespace', 'space', ...args]);
}

export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  // What a test looks at deep inside; the schemas of Kubernetes are checked by kubeconform.
  readonly spec?: unknown;
  readonly data?: Readonly<Record<string, string>>;
}

export function objectsOf(yaml: string): KubeObject[] {
  return parseAllDocuments(yaml)
    .map((document) => document.toJS() as KubeObject | null)
    .filter((object) => object !== null);
}

/** Objects of one file of values, rendered. Throws what helm says. */
export function render(...args: readonly string[]): KubeObject[] {
  const { code, out, err } = template(args);
  if (code !== 0) throw new Error(err);
  return objectsOf(out);
}

export function find(objects: readonly KubeObject[], kind: string, name: string): KubeObject {
  const found = objects.find((object) => object.kind === kind && object.metadata.name === name);
  if (found !== undefined) return found;
  const there = objects.map((object) => `${object.kind}/${object.metadata.name}`).join(' ');
  throw new Error(`no ${kind}/${name} in: ${there}`);
}
