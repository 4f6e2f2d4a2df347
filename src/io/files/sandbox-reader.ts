import { open, readdir, realpath, stat, type FileHandle } from 'node:fs/promises';
import { watch, type Stats } from 'node:fs';
import { join, resolve, sep } from 'node:path';
import { BadRequestError, NotFoundError } from '../../core/errors';
import type { FileEntry, SandboxFiles } from '../../core/ports/sandboxes';
import { sandboxSegment } from './sandbox-folder';

const CHUNK_BYTES = 64 * 1024;
const TAIL_BYTES = 1024 * 1024;
/** File systems may swallow change events: look at least so often, in milliseconds. */
const LOOK_MS = 1_000;

/** Reads files below one folder and nothing else, whatever the path says and wherever links lead. */
export class SandboxReader implements SandboxFiles {
  private readonly root: string;

  constructor(root: string) {
    this.root = resolve(root);
  }

  async find(taskId: string): Promise<string | undefined> {
    const name = sandboxSegment(taskId);
    for (const framework of await readdir(this.root).catch(() => [])) {
      const path = join(this.root, framework, name);
      if ((await stat(path).catch(() => undefined))?.isDirectory() === true) return path;
    }
    return undefined;
  }

  async browse(path: string): Promise<FileEntry[]> {
    const folder = await this.inside(path);
    if (!(await stat(folder)).isDirectory()) throw new NotFoundError('folder', path);
    const entries: FileEntry[] = [];
    for (const name of (await readdir(folder)).sort()) {
      const at = join(folder, name);
      // A link that leads out of the sandbox is shown as nothing.
      const stats = await this.inside(at).then(
        (real) => stat(real),
        () => undefined,
      );
      if (stats !== undefined && !name.startsWith('.log-position')) entries.push(entryOf(join(path, name), stats));
    }
    return entries;
  }

  async size(path: string): Promise<number> {
    const file = await this.inside(path);
    const stats = await stat(file);
    if (!stats.isFile()) throw new BadRequestError('Cannot read a directory.');
    return stats.size;
  }

  async read(path: string, offset: number, length: number): Promise<Uint8Array> {
    await this.size(path);
    const handle = await open(await this.inside(path), 'r');
    try {
      return await readAt(handle, offset, length);
    } finally {
      await handle.close();
    }
  }

  async *stream(
    path: string,
    options: { offset: number; follow: boolean; signal: AbortSignal; isOver?: () => boolean },
  ): AsyncGenerator<Uint8Array> {
    await this.size(path);
    const file = await this.inside(path);
    let handle = await open(file, 'r');
    try {
      let at = options.offset;
      while (!options.signal.aborted) {
        // Both asked before the read: what was written before the end, or before the file was put aside, is then surely read.
        const over = options.isOver?.() ?? false;
        const rotated = await isRotated(file, handle);
        const data = await readAt(handle, at, CHUNK_BYTES);
        at += data.length;
        if (data.length > 0) {
          yield data;
          continue;
        }
        if (rotated) {
          await handle.close();
          handle = await open(await this.inside(path), 'r');
          at = 0;
          continue;
        }
        if (!options.follow || over) return;
        await changed(file, options.signal);
      }
    } finally {
      await handle.close();
    }
  }

  async tailOffset(path: string, lines: number): Promise<number> {
    const size = await this.size(path);
    const from = Math.max(0, size - TAIL_BYTES);
    const data = await this.read(path, from, size - from);
    let left = lines + (data[data.length - 1] === 10 ? 1 : 0);
    for (let at = data.length - 1; at >= 0; at--) if (data[at] === 10 && --left === 0) return from + at + 1;
    return lines === 0 ? size : from;
  }

  /** The real path; NotFoundError when there is nothing or it lies outside. */
  private async inside(path: string): Promise<string> {
    const root = await realpath(this.root).catch(() => this.root);
    const real = await realpath(resolve(this.root, path)).catch(() => undefined);
    if (path.includes('\0') || real === undefined || (real !== root && !real.startsWith(root + sep)))
      throw new NotFoundError('file', path);
    return real;
  }
}

async function readAt(handle: FileHandle, offset: number, length: number): Promise<Uint8Array> {
  const buffer = Buffer.allocUnsafe(length);
  const { bytesRead } = await handle.read(buffer, 0, length, offset);
  return buffer.subarray(0, bytesRead);
}

/** The name now stands for another file than the open one. */
async function isRotated(path: string, open: FileHandle): Promise<boolean> {
  const [now, then] = await Promise.all([stat(path).catch(() => undefined), open.stat()]);
  return now !== undefined && now.ino !== then.ino;
}

/** Resolves when the file changes, after a while, or when `signal` aborts. */
function changed(path: string, signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    const finish = () => {
      clearTimeout(timer);
      watcher?.close();
      signal.removeEventListener('abort', finish);
      done();
    };
    const timer = setTimeout(finish, LOOK_MS);
    const watcher = watchOrNot(path, finish);
    signal.addEventListener('abort', finish, { once: true });
  });
}

function watchOrNot(path: string, run: () => void): { close(): void } | undefined {
  try {
    return watch(path, { persistent: false }, run).on('error', run);
  } catch {
    return undefined;
  }
}

function entryOf(path: string, stats: Stats): FileEntry {
  return {
    path,
    nlink: stats.nlink,
    size: stats.size,
    mtime: Math.floor(stats.mtimeMs / 1_000),
    mode: modeText(stats),
    uid: String(stats.uid),
    gid: String(stats.gid),
  };
}

function modeText(stats: Stats): string {
  const rights = [6, 3, 0]
    .map((shift) => (stats.mode >> shift) & 7)
    .map((bits) => (bits & 4 ? 'r' : '-') + (bits & 2 ? 'w' : '-') + (bits & 1 ? 'x' : '-'));
  return (stats.isDirectory() ? 'd' : '-') + rights.join('');
}
