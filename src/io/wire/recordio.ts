import { LIMITS } from '../../core/limits';

/** Cuts a stream of bytes into records, however they arrive. Throws a plain Error on what is not RecordIO or too long. */
export class RecordDecoder {
  private rest: Buffer = Buffer.alloc(0);

  constructor(private readonly limitBytes: number = LIMITS.grpcReceiveBytes) {}

  push(chunk: Buffer): unknown[] {
    this.rest = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
    const records: unknown[] = [];
    let at = 0;
    for (;;) {
      const header = this.headerAt(at);
      if (header === undefined || this.rest.length < header.end) break;
      const parsed: unknown = JSON.parse(this.rest.toString('utf8', header.start, header.end));
      records.push(parsed);
      at = header.end;
    }
    this.rest = this.rest.subarray(at);
    return records;
  }

  private headerAt(at: number): { readonly start: number; readonly end: number } | undefined {
    const newline = this.rest.indexOf(0x0a, at);
    if (newline === -1) {
      if (this.rest.length - at > 20) throw new Error('not RecordIO: no length before the record');
      return undefined;
    }
    const digits = this.rest.toString('latin1', at, newline);
    const length = /^\d{1,19}$/.test(digits) ? Number(digits) : Number.NaN;
    if (!(length > 0)) throw new Error(`not RecordIO: '${digits.slice(0, 20)}' is no length`);
    if (length > this.limitBytes) throw new Error(`a record of ${length} bytes; at most ${this.limitBytes} are taken`);
    return { start: newline + 1, end: newline + 1 + length };
  }
}
