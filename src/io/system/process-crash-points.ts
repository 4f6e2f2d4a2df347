import { InvalidError } from '../../core/errors';
import { CRASH_POINTS, NO_CRASH_POINTS, type CrashPoint, type CrashPoints } from '../../core/ports/crash-points';
import type { Logger } from '../../core/ports/logger';

/** The environment variable that arms one point: `NAME`, or `NAME:N` for the Nth time that it is reached. */
export const CRASH_POINT_VARIABLE = 'BERTH_CRASH_POINT';

/** Ends this process as `kill -9` does, at one point. For tests of crashes only. */
export class ProcessCrashPoints implements CrashPoints {
  private passesLeft: number;

  private constructor(
    private readonly point: CrashPoint,
    passes: number,
    private readonly die: () => void,
  ) {
    this.passesLeft = passes;
  }

  /**
   * What the environment asks for; no points at all when it asks for nothing. Warns when one is armed. Throws InvalidError, which
   * lists the names, when there is no such point.
   */
  static fromEnvironment(
    text: string | undefined,
    log: Logger,
    die: () => void = () => process.kill(process.pid, 'SIGKILL'),
  ): CrashPoints {
    if (text === undefined || text === '') return NO_CRASH_POINTS;
    const [, name = text, passes = '1'] = /^(.*?)(?::([1-9][0-9]{0,8}))?$/.exec(text) ?? [];
    if (!isCrashPoint(name)) {
      const message = `${CRASH_POINT_VARIABLE}=${text}: no such crash point; there are: ${Object.keys(CRASH_POINTS).join(', ')}`;
      throw new InvalidError([{ path: '/', message }], message);
    }
    log.warn('this process will kill itself at a crash point', { point: name, passes: Number(passes) });
    return new ProcessCrashPoints(name, Number(passes), die);
  }

  reach(point: CrashPoint): void {
    if (point !== this.point) return;
    this.passesLeft -= 1;
    if (this.passesLeft === 0) this.die();
  }
}

function isCrashPoint(name: string): name is CrashPoint {
  return Object.hasOwn(CRASH_POINTS, name);
}
