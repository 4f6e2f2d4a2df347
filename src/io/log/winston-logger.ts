import type { Writable } from 'node:stream';
import { createLogger, format, transports, type Logger as Winston } from 'winston';
import type { Clock } from '../../core/ports/clock';
import type { LogFields, Logger } from '../../core/ports/logger';
import { Redaction } from './redaction';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface WinstonLoggerOptions {
  readonly level?: LogLevel;
  /** `json`: one object per line. `text`: for people. Default: text on a terminal, else json. */
  readonly format?: 'json' | 'text';
  /** Never written, wherever they would occur. */
  readonly secrets?: readonly string[];
  /** Where to: stderr by default, so that stdout belongs to the command's own output. */
  readonly stream?: Writable & { readonly isTTY?: boolean };
}

/**
 * Log on winston. A line has `time` (ISO-8601), `level`, `message` and the fields. Never throws, and a closed pipe
 * (`berth server 2>&1 | head`) does not end the process.
 */
export class WinstonLogger implements Logger {
  private constructor(
    private readonly winston: Winston,
    private readonly redaction: Redaction,
    private readonly clock: Clock,
    private readonly bound: LogFields,
  ) {}

  static open(clock: Clock, options: WinstonLoggerOptions = {}): WinstonLogger {
    const stream = options.stream ?? process.stderr;
    const asText = (options.format ?? (stream.isTTY === true ? 'text' : 'json')) === 'text';
    const transport = new transports.Stream({ stream, eol: '\n' });
    const winston = createLogger({
      level: options.level ?? 'info',
      levels: { error: 0, warn: 1, info: 2, debug: 3 },
      format: format.printf((line) => (asText ? textOf(line) : jsonOf(line))),
      transports: [transport],
      exitOnError: false,
    });
    // Nobody reads any more (EPIPE), or the disk is full: the log is lost, the work goes on.
    stream.on('error', () => (transport.silent = true));
    winston.on('error', () => undefined);
    return new WinstonLogger(winston, new Redaction(options.secrets), clock, {});
  }

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
    return new WinstonLogger(this.winston, this.redaction, this.clock, { ...this.bound, ...fields });
  }

  private write(level: LogLevel, message: string, fields: LogFields | undefined): void {
    if (!this.winston.isLevelEnabled(level)) return;
    this.winston.log({
      level,
      message: this.redaction.text(message),
      time: new Date(this.clock.nowMs()).toISOString(),
      fields: this.fieldsOf(fields),
    });
  }

  private fieldsOf(fields: LogFields | undefined): unknown {
    try {
      return this.redaction.value({ ...this.bound, ...fields });
    } catch (error) {
      return { unloggable: String(error) }; // e.g. a getter that throws
    }
  }
}

interface Line {
  readonly level: string;
  readonly message: unknown;
  readonly time?: unknown;
  readonly fields?: unknown;
}

function jsonOf({ time, level, message, fields }: Line): string {
  return JSON.stringify({ time, level, message, ...(fields as object) });
}

/** `12:00:01.123 WARN  message  appId=/web error="…"` */
function textOf({ time, level, message, fields }: Line): string {
  const pairs = Object.entries(fields as object)
    .filter(([, value]) => value !== undefined)
    .map(
      ([name, value]) =>
        ` ${name}=${typeof value === 'string' && /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value)}`,
    );
  return `${String(time).slice(11, 23)} ${level.toUpperCase().padEnd(5)} ${String(message)}${pairs.length > 0 ? ' ' : ''}${pairs.join('')}`;
}
