import { LIMITS } from '../../core/limits';
import type { Clock } from '../../core/ports/clock';
import type { LogFields, Logger } from '../../core/ports/logger';

type Level = 'debug' | 'info' | 'warn' | 'error';
interface Seen {
  readonly atMs: number;
  suppressed: number;
}

/**
 * For loops that retry: the same message (text and level) is written at most once per `everyMs`; the line after that says in
 * `repeated` how many were left out. Children share the count. Remembers at most LIMITS.logRepeatMessages messages.
 */
export class RepeatLimitedLogger implements Logger {
  constructor(
    private readonly log: Logger,
    private readonly clock: Clock,
    private readonly everyMs: number = LIMITS.logRepeatMs,
    private readonly seen: Map<string, Seen> = new Map(),
  ) {}

  debug(message: string, fields?: LogFields): void {
    this.write('debug', message, fields);
  }
  info(message: string, fields?: LogFields): void {
    this.write('info', message, fields);
  }
  warn(message: string, fields?: LogFields): void {
    this.write('warn', message, fields);
  }
  error(message: string, fields?: LogFields): void {
    this.write('error', message, fields);
  }
  child(fields: LogFields): Logger {
    return new RepeatLimitedLogger(this.log.child(fields), this.clock, this.everyMs, this.seen);
  }

  private write(level: Level, message: string, fields: LogFields | undefined): void {
    const key = `${level} ${message}`;
    const nowMs = this.clock.monotonicMs();
    const seen = this.seen.get(key);
    if (seen !== undefined && nowMs - seen.atMs < this.everyMs) {
      seen.suppressed += 1;
      return;
    }
    this.forgetOne();
    this.seen.delete(key); // so that the oldest is the first of the map
    this.seen.set(key, { atMs: nowMs, suppressed: 0 });
    this.log[level](
      message,
      seen === undefined || seen.suppressed === 0 ? fields : { ...fields, repeated: seen.suppressed },
    );
  }

  private forgetOne(): void {
    if (this.seen.size < LIMITS.logRepeatMessages) return;
    const oldest = this.seen.keys().next().value;
    if (oldest !== undefined) this.seen.delete(oldest);
  }
}
