import { setMaxListeners } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Auth } from '../cli/options';
import { packageVersion } from '../cli/package-root';
import { UsageError } from '../cli/usage-error';
import { InvalidError } from '../core/errors';
import type { Clock } from '../core/ports/clock';
import type { CrashPoints } from '../core/ports/crash-points';
import type { IdSource } from '../core/ports/ids';
import type { Logger } from '../core/ports/logger';
import type { Random } from '../core/ports/random';
import { WinstonLogger, type LogLevel } from '../io/log/winston-logger';
import { PromMetrics } from '../io/metrics/prom-metrics';
import { SystemRandom, UuidSource } from '../io/system/chance';
import { SystemClock } from '../io/system/clock';
import { CRASH_POINT_VARIABLE, ProcessCrashPoints } from '../io/system/process-crash-points';

/** What every process has from its machine. */
export interface Platform {
  readonly version: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly ids: IdSource;
  readonly log: Logger;
  readonly metrics: PromMetrics;
  /** None, unless the environment names one. */
  readonly crashPoints: CrashPoints;
}

/**
 * @param secret never appears in the log, whatever is logged
 * @param cluster label on every metric, so that one Prometheus can watch several clusters
 */
export function newPlatform(level: LogLevel, secret: string | undefined, cluster: string): Platform {
  // Every waiting task listens to the one signal of its process: many listeners are no leak here.
  setMaxListeners(0);
  const clock = new SystemClock();
  const log = WinstonLogger.open(clock, { level, secrets: secret === undefined ? [] : [secret] });
  return {
    version: packageVersion(),
    clock,
    random: new SystemRandom(),
    ids: new UuidSource(),
    log,
    metrics: new PromMetrics({ cluster }),
    crashPoints: crashPoints(log),
  };
}

/** A name that is none is a mistake in a BERTH_ variable like any other. */
function crashPoints(log: Logger): CrashPoints {
  try {
    return ProcessCrashPoints.fromEnvironment(process.env[CRASH_POINT_VARIABLE], log);
  } catch (error) {
    throw error instanceof InvalidError ? new UsageError(error.message) : error;
  }
}

export function readToken(auth: Auth): string | undefined {
  return auth.kind === 'token' ? readFileSync(auth.tokenFile, 'utf8').trim() : undefined;
}

/** Aborts at the first SIGTERM or SIGINT; a second one ends the process at once. */
export function untilStopped(log: Logger): AbortSignal {
  const stop = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.on(name, () => {
      if (stop.signal.aborted) process.exit(1);
      log.info('stopping', { signal: name });
      stop.abort();
    });
  }
  return stop.signal;
}
