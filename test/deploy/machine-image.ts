import { execFileSync } from 'node:child_process';
import { lstatSync, readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Pack } from 'tar-stream';

/** Executables and folders of this machine that go into an image beside busybox. */
export interface MachineParts {
  /** Found on the PATH; they come with the libraries that they are linked to, and lie in /usr/bin. */
  readonly programs: readonly string[];
  /** Whole folders, at the same path. */
  readonly folders?: readonly string[];
  /** Links: path -> target. */
  readonly links?: Readonly<Record<string, string>>;
}

/**
 * Puts programs of this machine into the tar of an image: where no registry can be reached, that is how an image with Node.js
 * or etcd is had.
 */
export function addMachineParts(tar: Pack, { programs, folders = [], links = {} }: MachineParts): void {
  const found = programs.map(pathOf);
  for (const path of found) tar.entry({ name: `usr/bin/${basename(path)}`, mode: 0o755 }, readFileSync(path));
  for (const library of new Set(found.flatMap(librariesOf)))
    tar.entry({ name: library.slice(1), mode: 0o755 }, readFileSync(realpathSync(library)));
  for (const folder of folders) addFolder(tar, folder);
  for (const [path, target] of Object.entries(links))
    tar.entry({ name: path.slice(1), type: 'symlink', linkname: target });
}

/** Paths as the loader has them: `/lib64/ld-linux-x86-64.so.2`, `/lib/x86_64-linux-gnu/libc.so.6`. */
function librariesOf(program: string): string[] {
  const lines = execFileSync('ldd', [program], { encoding: 'utf8', timeout: 10_000 }).split('\n');
  return lines.flatMap((line) => /(\/\S+) \(0x/.exec(line)?.[1] ?? []);
}

function pathOf(program: string): string {
  const found = execFileSync('sh', ['-c', 'command -v "$0"', program], { encoding: 'utf8', timeout: 10_000 });
  return realpathSync(found.trim());
}

function addFolder(tar: Pack, folder: string): void {
  for (const entry of readdirSync(folder)) {
    const path = join(folder, entry);
    const stat = lstatSync(path);
    const name = path.slice(1);
    if (stat.isDirectory()) addFolder(tar, path);
    else if (stat.isSymbolicLink()) tar.entry({ name, type: 'symlink', linkname: readlinkSync(path) });
    else tar.entry({ name, mode: stat.mode & 0o777 }, readFileSync(path));
  }
}

/** The folder of npm that belongs to this machine's node. */
export function npmFolder(): string {
  return dirname(dirname(pathOf('npm')));
}
