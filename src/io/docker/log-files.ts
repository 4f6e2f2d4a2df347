import { constants } from 'node:fs';
import { open, readFile, rename, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { LIMITS } from '../../core/limits';
import { codeOf } from './engine-error';
import { advanced, logPositionSchema, START, type LogPosition } from './log-position';

type Stream = 'stdout' | 'stderr';

const POSITION_FILE = '.log-position';

/**
 * `stdout` and `stderr` of a sandbox, and how far Docker's log has been copied into them. What was written after the position was
 * last saved is cut off at open() and copied again: no gap and no repeat after a crash. A file that reaches
 * LIMITS.sandboxLogBytes becomes `stdout.1` and a new one begins.
 */
export class LogFiles {
  private constructor(
    private readonly sandbox: string,
    private readonly handles: Record<Stream, FileHandle>,
    private current: LogPosition,
  ) {}

  static async open(sandbox: string): Promise<LogFiles> {
    const position = await readPosition(sandbox);
    const stdout = await openAt(join(sandbox, 'stdout'), position.stdout.bytes);
    try {
      return new LogFiles(
        sandbox,
        { stdout, stderr: await openAt(join(sandbox, 'stderr'), position.stderr.bytes) },
        position,
      );
    } catch (error) {
      await stdout.close();
      throw error;
    }
  }

  get position(): LogPosition {
    return this.current;
  }

  /** Appends messages of one stream in one write. */
  async append(
    stream: Stream,
    messages: readonly { readonly timestamp: string; readonly data: Buffer }[],
  ): Promise<void> {
    if (messages.length === 0) return;
    const data = Buffer.concat(messages.map((message) => message.data));
    await writeAll(this.handles[stream], data, this.current[stream].bytes);
    let next = this.current[stream];
    for (const { timestamp, data: one } of messages) next = advanced(next, timestamp, one.length);
    this.current = { ...this.current, [stream]: next };
    if (next.bytes >= LIMITS.sandboxLogBytes) await this.rotate(stream);
  }

  /** Makes the position durable against a crash of the agent (not of the machine). */
  async save(): Promise<void> {
    const path = join(this.sandbox, POSITION_FILE);
    const handle = await open(`${path}.new`, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW, 0o600);
    try {
      await handle.writeFile(JSON.stringify(this.current));
    } finally {
      await handle.close();
    }
    await rename(`${path}.new`, path);
  }

  async close(): Promise<void> {
    try {
      await this.save();
    } finally {
      await Promise.all([this.handles.stdout.close(), this.handles.stderr.close()]);
    }
  }

  private async rotate(stream: Stream): Promise<void> {
    const path = join(this.sandbox, stream);
    await this.handles[stream].close();
    await rename(path, `${path}.1`);
    this.handles[stream] = await openAt(path, 0);
    this.current = { ...this.current, [stream]: { ...this.current[stream], bytes: 0 } };
    await this.save();
  }
}

/** A disk that is nearly full takes a part and says so only in the number; the rest is refused with ENOSPC. */
async function writeAll(handle: FileHandle, data: Buffer, position: number): Promise<void> {
  for (let done = 0; done < data.length;)
    done += (await handle.write(data, done, data.length - done, position + done)).bytesWritten;
}

async function readPosition(sandbox: string): Promise<LogPosition> {
  try {
    return logPositionSchema.parse(JSON.parse(await readFile(join(sandbox, POSITION_FILE), 'utf8')));
  } catch {
    // Absent or garbage: copy from the beginning.
    return START;
  }
}

/**
 * Opens for writing and cuts off what is behind `bytes`. A crash between the two steps of a rotation leaves a file shorter than
 * its position: then writing goes on there. The task can write to its sandbox: a link or a device in the file's place would lead
 * the agent, which is root, elsewhere, so it is replaced.
 */
async function openAt(path: string, bytes: number): Promise<FileHandle> {
  const handle = (await openPlain(path)) ?? (await replaced(path));
  const { size } = await handle.stat();
  if (size > bytes) await handle.truncate(bytes);
  return handle;
}

const { O_RDWR, O_CREAT, O_EXCL, O_TRUNC, O_NOFOLLOW, O_NONBLOCK } = constants;

async function openPlain(path: string): Promise<FileHandle | undefined> {
  try {
    const handle = await open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o644);
    if ((await handle.stat()).isFile()) return handle;
    await handle.close();
    return undefined;
  } catch (error) {
    if (['ELOOP', 'EISDIR', 'ENXIO'].includes(codeOf(error))) return undefined;
    throw error;
  }
}

async function replaced(path: string): Promise<FileHandle> {
  await rm(path, { recursive: true, force: true });
  return open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o644);
}
