import { createHash, type Hash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { messageOf } from '../../core/errors';

/** One record as it lies in the store. */
export interface BackupEntry {
  readonly key: string;
  readonly value: string;
}

/** The first line of a backup. */
export interface BackupHeader {
  readonly kind: 'BerthBackup';
  readonly formatVersion: 1;
  /** Version of Berth that wrote it. */
  readonly berthVersion: string;
  /** Revision of the store at which everything was read. */
  readonly revision: number;
  /** ISO 8601. */
  readonly takenAt: string;
}

/** The last line: without it, or when it does not agree, the file is cut off or changed. */
interface BackupEnd {
  readonly end: true;
  readonly records: number;
  /** Of all lines of records, hexadecimal. */
  readonly sha256: string;
}

/** The file is no backup, is cut off or was changed. */
export class BackupFileError extends Error {
  override readonly name = 'BackupFileError';
}

/**
 * A backup as a text file, one JSON document in each line: header, records in key order, end with count and checksum. Names that end in
 * `.gz` are compressed. The file may hold secrets (environments of apps): only its owner can read it.
 */
export class BackupFile {
  constructor(private readonly path: string) {}

  /** Writes beside the file, then renames: the file is either complete or as it was. Resolves with the number of records. */
  async write(header: BackupHeader, entries: AsyncIterable<BackupEntry>): Promise<number> {
    const draft = `${this.path}.part-${process.pid}`;
    const digest = new Digest();
    const stages = this.isCompressed ? [createGzip()] : [];
    try {
      await pipeline([
        Readable.from(linesOf(header, entries, digest)),
        ...stages,
        createWriteStream(draft, { mode: 0o600, flags: 'wx', flush: true }),
      ]);
      await rename(draft, this.path);
      await syncFolder(dirname(this.path));
    } catch (error) {
      await rm(draft, { force: true });
      throw error;
    }
    return digest.records;
  }

  /** Reads the whole file and keeps nothing: BackupFileError unless it is complete and unchanged. */
  async verify(): Promise<{ readonly header: BackupHeader; readonly records: number }> {
    let records = 0;
    for await (const _entry of this.entries()) records++;
    return { header: await this.header(), records };
  }

  /** The records, in key order. Throws BackupFileError, at the end too: call verify() before you act on what you have read. */
  async *entries(): AsyncIterable<BackupEntry> {
    const digest = new Digest();
    let end: BackupEnd | undefined;
    let number = 0;
    for await (const line of this.lines()) {
      number++;
      if (end !== undefined) throw new BackupFileError(`line ${number} comes after the end`);
      const document = this.parse(line, number);
      if (number === 1) checkHeader(document);
      else if (isEnd(document)) end = document;
      else yield digest.add(checkEntry(document, number));
    }
    if (number === 0) throw new BackupFileError('the file is empty');
    if (end === undefined) throw new BackupFileError('the file is cut off: its last line is missing');
    if (end.records !== digest.records || end.sha256 !== digest.value())
      throw new BackupFileError('the records do not agree with the checksum: the file was changed');
  }

  private async header(): Promise<BackupHeader> {
    for await (const line of this.lines()) return checkHeader(this.parse(line, 1));
    throw new BackupFileError('the file is empty');
  }

  private async *lines(): AsyncIterable<string> {
    const file = createReadStream(this.path);
    const input = this.isCompressed ? file.pipe(createGunzip()) : file;
    // An error of the first stage does not pass through a pipe by itself.
    file.on('error', (error) => input.destroy(error));
    try {
      yield* createInterface({ input, crlfDelay: Infinity });
    } catch (error) {
      throw new BackupFileError(`cannot be read: ${messageOf(error)}`, { cause: error });
    } finally {
      file.destroy();
    }
  }

  private get isCompressed(): boolean {
    return this.path.endsWith('.gz');
  }

  private parse(line: string, number: number): unknown {
    try {
      return JSON.parse(line);
    } catch {
      throw new BackupFileError(`line ${number} is not JSON`);
    }
  }
}

class Digest {
  private readonly hash: Hash = createHash('sha256');
  records = 0;

  add(entry: BackupEntry): BackupEntry {
    this.hash.update(lineOf(entry));
    this.records++;
    return entry;
  }

  value(): string {
    return this.hash.copy().digest('hex');
  }
}

async function* linesOf(header: BackupHeader, entries: AsyncIterable<BackupEntry>, digest: Digest) {
  yield `${JSON.stringify(header)}\n`;
  for await (const entry of entries) yield lineOf(digest.add(entry));
  const end: BackupEnd = { end: true, records: digest.records, sha256: digest.value() };
  yield `${JSON.stringify(end)}\n`;
}

function lineOf({ key, value }: BackupEntry): string {
  return `${JSON.stringify({ key, value })}\n`;
}

function checkHeader(document: unknown): BackupHeader {
  const header = document as Partial<BackupHeader> | null;
  if (header?.kind !== 'BerthBackup') throw new BackupFileError('this is no backup of Berth');
  if (header.formatVersion !== 1)
    throw new BackupFileError(
      `its format ${String(header.formatVersion)} is of a newer Berth (${String(header.berthVersion)}): restore it with that version`,
    );
  return header as BackupHeader;
}

function isEnd(document: unknown): document is BackupEnd {
  return typeof document === 'object' && document !== null && 'end' in document;
}

function checkEntry(document: unknown, line: number): BackupEntry {
  const entry = document as Partial<BackupEntry> | null;
  if (typeof entry?.key === 'string' && typeof entry.value === 'string') return { key: entry.key, value: entry.value };
  throw new BackupFileError(`line ${line} is no record`);
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
