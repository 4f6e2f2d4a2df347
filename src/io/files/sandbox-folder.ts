import { chmod, mkdir, open, readdir, rm, stat, statfs } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { BadRequestError } from '../../core/errors';
import type { Sandboxes } from '../../core/ports/sandboxes';

/** A task may put a link where its output goes; it must not lead the agent out of the sandbox. */
const APPEND_NO_LINKS = constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND | constants.O_NOFOLLOW;

/** Sandboxes below one folder. */
export class SandboxFolder implements Sandboxes {
  private readonly root: string;

  constructor(root: string) {
    this.root = resolve(root);
  }

  async create(frameworkId: string, taskId: string): Promise<string> {
    const path = this.pathOf(frameworkId, taskId);
    // Nobody else on the node gets through the parents; the task itself sees its sandbox as a mount and may run as any user.
    await makeFolder(path);
    for (const file of ['stdout', 'stderr']) await (await open(join(path, file), APPEND_NO_LINKS, 0o644)).close();
    await chmod(path, 0o1777);
    return path;
  }

  pathOf(frameworkId: string, taskId: string): string {
    return join(this.root, sandboxSegment(frameworkId), sandboxSegment(taskId));
  }

  async list(): Promise<{ path: string; modifiedMs: number }[]> {
    const found: { path: string; modifiedMs: number }[] = [];
    for (const framework of await folders(this.root))
      for (const task of await folders(join(this.root, framework))) {
        const path = join(this.root, framework, task);
        found.push({ path, modifiedMs: await modified(path) });
      }
    return found;
  }

  async diskUsage(): Promise<number> {
    // The first sandbox makes the folder; its disk is asked for all the same.
    await mkdir(this.root, { recursive: true, mode: 0o700 });
    const { blocks, bavail } = await statfs(this.root);
    return blocks === 0 ? 0 : 1 - bavail / blocks;
  }

  async remove(path: string): Promise<void> {
    if (dirname(dirname(resolve(path))) !== this.root) throw new BadRequestError(`${path} is not a sandbox`);
    await rm(path, { recursive: true, force: true });
  }
}

/** The folder name of an id. Ids with characters that a path cannot have are hashed; `.` and `..` too. */
export function sandboxSegment(id: string): string {
  return /^[a-zA-Z0-9_-][a-zA-Z0-9_.:@-]{0,250}$/.test(id) ? id : createHash('sha256').update(id).digest('hex');
}

/** Like mkdir -p. Node's own says ENOENT when the disk is full; the last step alone says what is wrong. */
async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
  } catch {
    await mkdir(path, { mode: 0o700 });
  }
}

async function folders(path: string): Promise<string[]> {
  try {
    const entries = await readdir(path, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  } catch {
    return [];
  }
}

async function modified(path: string): Promise<number> {
  const times = await Promise.all(
    [path, join(path, 'stdout'), join(path, 'stderr')].map((at) =>
      stat(at).then(
        ({ mtimeMs }) => mtimeMs,
        () => 0,
      ),
    ),
  );
  return Math.max(...times);
}
