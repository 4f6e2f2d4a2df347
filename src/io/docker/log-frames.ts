/** One message of a container: Docker's timestamp and the text as it was written (its newline included, if it had one). */
export interface LogMessage {
  readonly stream: 'stdout' | 'stderr';
  /** RFC 3339 with nine decimals: sorts as text. */
  readonly timestamp: string;
  readonly data: Buffer;
}

const HEADER = 8;
const TIMESTAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/;
const TIMESTAMP_CHARS = 30;
/** A frame of the engine carries one message of at most 16 KiB and its timestamp; more is not the protocol. */
const MAX_FRAME_BYTES = 16 * 1024 * 1024;

/** Cuts the engine's multiplexed stream (stream number, 3 zero bytes, 32-bit length, data) into frames. */
export class FrameReader {
  private rest: Buffer = Buffer.alloc(0);

  *push(chunk: Buffer): Generator<{ stream: 'stdout' | 'stderr'; data: Buffer }> {
    this.rest = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
    let at = 0;
    while (this.rest.length - at >= HEADER) {
      const length = this.rest.readUInt32BE(at + 4);
      if (length > MAX_FRAME_BYTES) throw new Error(`Docker announced a log frame of ${length} bytes`);
      if (this.rest.length - at < HEADER + length) break;
      const stream = this.rest[at] === 2 ? 'stderr' : 'stdout';
      yield { stream, data: this.rest.subarray(at + HEADER, at + HEADER + length) };
      at += HEADER + length;
    }
    this.rest = this.rest.subarray(at);
  }
}

/** With a terminal there are no frames and one stream: lines, each with its timestamp. */
export class TerminalReader {
  private rest: Buffer = Buffer.alloc(0);

  *push(chunk: Buffer): Generator<{ stream: 'stdout'; data: Buffer }> {
    this.rest = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
    for (let end = this.rest.indexOf(10); end !== -1; end = this.rest.indexOf(10)) {
      yield { stream: 'stdout', data: this.rest.subarray(0, end + 1) };
      this.rest = this.rest.subarray(end + 1);
    }
    if (this.rest.length > MAX_FRAME_BYTES) throw new Error('Docker sent a log line without end');
  }
}

/** Takes Docker's timestamp off a frame. A frame without one (a message of Docker itself) counts as of `fallback`. */
export function logMessage(stream: 'stdout' | 'stderr', data: Buffer, fallback: string): LogMessage {
  const timestamp = data.subarray(0, TIMESTAMP_CHARS).toString('latin1');
  return TIMESTAMP.test(timestamp) && data[TIMESTAMP_CHARS] === 32
    ? { stream, timestamp, data: data.subarray(TIMESTAMP_CHARS + 1) }
    : { stream, timestamp: fallback, data };
}
