import { z } from 'zod';

/** How far one stream has been copied. */
const streamPositionSchema = z.object({
  /** Bytes of the file that belong to messages up to here. */
  bytes: z.number().int().nonnegative(),
  /** Timestamp of the last message copied; '' before the first. */
  timestamp: z.string(),
  /** Messages copied that have exactly this timestamp. */
  same: z.number().int().nonnegative(),
});
export type StreamPosition = z.infer<typeof streamPositionSchema>;

export const logPositionSchema = z.object({ stdout: streamPositionSchema, stderr: streamPositionSchema });
export type LogPosition = z.infer<typeof logPositionSchema>;

export const START: LogPosition = {
  stdout: { bytes: 0, timestamp: '', same: 0 },
  stderr: { bytes: 0, timestamp: '', same: 0 },
};

/** Seconds before the last message from which Docker is asked again: its two streams are written a little out of order. */
const OVERLAP_SECONDS = 5;

/** The `since` for Docker's logs call: a little before the newest message of either stream. */
export function sinceOf(position: LogPosition): number {
  const newest = [position.stdout.timestamp, position.stderr.timestamp].sort()[1] ?? '';
  const ms = Date.parse(newest);
  return Number.isNaN(ms) ? 0 : Math.max(0, Math.floor(ms / 1_000) - OVERLAP_SECONDS);
}

/**
 * Tells which messages of one stream are new. Within a stream Docker keeps the order and timestamps never go back, so what is
 * before the position was copied already, and of those with the very same timestamp the first `same` were.
 */
export class Resume {
  private skipped = 0;

  constructor(private readonly from: StreamPosition) {}

  isNew(timestamp: string): boolean {
    if (timestamp > this.from.timestamp) return true;
    if (timestamp < this.from.timestamp) return false;
    return ++this.skipped > this.from.same;
  }
}

/** The position after one more message. */
export function advanced(position: StreamPosition, timestamp: string, bytes: number): StreamPosition {
  return {
    bytes: position.bytes + bytes,
    timestamp,
    same: timestamp === position.timestamp ? position.same + 1 : 1,
  };
}
