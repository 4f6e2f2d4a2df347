import { TooLargeError } from '../../core/errors';
import { LIMITS } from '../../core/limits';
import type { Write } from '../../core/ports/store';

/**
 * What both stores refuse before anything happens. TooLargeError: too many writes or bytes. A key that occurs twice is a bug
 * of the caller and throws a plain Error.
 *
 * @returns the size in bytes as the store will see it
 */
export function checkCommit(writes: readonly Write[]): number {
  if (writes.length > LIMITS.commitWrites)
    throw new TooLargeError(`a commit of ${writes.length} writes; at most ${LIMITS.commitWrites} are allowed`);
  const keys = new Set<string>();
  let bytes = 0;
  for (const write of writes) {
    if (keys.has(write.key)) throw new Error(`a commit names ${write.key} twice`);
    keys.add(write.key);
    bytes += Buffer.byteLength(write.key) + (write.kind === 'put' ? Buffer.byteLength(write.value) : 0);
  }
  if (bytes > LIMITS.commitBytes)
    throw new TooLargeError(`a commit of ${bytes} bytes; at most ${LIMITS.commitBytes} are allowed`);
  return bytes;
}
