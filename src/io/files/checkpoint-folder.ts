import { createHash } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { CheckpointDocument, CheckpointStore } from '../../core/ports/checkpoint';

const envelopeSchema = z.object({ name: z.string(), text: z.string() });

const SUFFIX = '.json';
const UNFINISHED = '.new';
const ASIDE = 'set-aside';

/** Checkpoints as files of one folder. Files that are cut short or are not ours go to `set-aside/` inside it. */
export class CheckpointFolder implements CheckpointStore {
  private ready: Promise<unknown> | undefined;

  constructor(private readonly folder: string) {}

  async list(): Promise<{ documents: CheckpointDocument[]; unreadable: string[] }> {
    await this.prepare();
    const documents: CheckpointDocument[] = [];
    const unreadable: string[] = [];
    for (const file of await readdir(this.folder)) {
      // A crash in the middle of a write leaves the unfinished file; the whole one is beside it.
      if (file.endsWith(UNFINISHED)) await rm(join(this.folder, file), { force: true });
      if (!file.endsWith(SUFFIX)) continue;
      const document = await this.read(file);
      if (document === undefined) unreadable.push(await this.moveAside(file));
      else documents.push(document);
    }
    return { documents, unreadable };
  }

  async write(name: string, text: string, options: { readonly sync: boolean } = { sync: false }): Promise<void> {
    await this.prepare();
    const path = join(this.folder, fileOf(name));
    const handle = await open(path + UNFINISHED, 'w', 0o600);
    try {
      await handle.writeFile(JSON.stringify({ name, text }));
      if (options.sync) await handle.datasync();
    } finally {
      await handle.close();
    }
    await rename(path + UNFINISHED, path);
    if (options.sync) await syncFolder(this.folder);
  }

  async remove(name: string): Promise<void> {
    await rm(join(this.folder, fileOf(name)), { force: true });
  }

  setAside(name: string): Promise<string> {
    return this.moveAside(fileOf(name));
  }

  private prepare(): Promise<unknown> {
    this.ready ??= mkdir(this.folder, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
      this.ready = undefined;
      throw error;
    });
    return this.ready;
  }

  private async read(file: string): Promise<CheckpointDocument | undefined> {
    try {
      const envelope = envelopeSchema.parse(JSON.parse(await readFile(join(this.folder, file), 'utf8')));
      return fileOf(envelope.name) === file ? envelope : undefined;
    } catch {
      return undefined;
    }
  }

  private async moveAside(file: string): Promise<string> {
    const aside = join(this.folder, ASIDE);
    await mkdir(aside, { recursive: true });
    const target = join(aside, `${file}.${process.hrtime.bigint()}`);
    await rename(join(this.folder, file), target);
    return target;
  }
}

/** Names may hold anything; files may not. The hash keeps two names apart that look the same after cleaning. */
function fileOf(name: string): string {
  const readable = name.replace(/[^a-zA-Z0-9_.-]/g, '_').slice(0, 150);
  return `${readable}-${createHash('sha256').update(name).digest('hex').slice(0, 12)}${SUFFIX}`;
}

/** Without it a power failure may undo the rename. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
