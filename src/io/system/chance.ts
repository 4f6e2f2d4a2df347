import { randomUUID } from 'node:crypto';
import type { IdSource } from '../../core/ports/ids';
import type { Random } from '../../core/ports/random';

/** For jitter and tie-breaks; not for secrets. */
export class SystemRandom implements Random {
  next(): number {
    return Math.random();
  }
}

/** Version 4 UUIDs from the system's source of randomness. */
export class UuidSource implements IdSource {
  uuid(): string {
    return randomUUID();
  }
}
