import type { CrashPoint } from '../../src/core/ports/crash-points';
import { CRASH_POINT_VARIABLE } from '../../src/io/system/process-crash-points';
import type { BedProcess } from '../testbed/bed-process';
import { PATIENCE_MS } from './cluster';

/** A point, or the Nth time that it is reached. */
export type Armed = CrashPoint | `${CrashPoint}:${number}`;

/** Kills the process and starts it anew, so that it will kill itself at the point. */
export async function restartArmed(process: BedProcess, point: Armed): Promise<void> {
  await process.kill();
  process.extraEnv = { ...process.extraEnv, [CRASH_POINT_VARIABLE]: point };
  process.start();
}

/** Waits until the process has killed itself; its next start is an ordinary one. */
export async function crashed(process: BedProcess): Promise<void> {
  await process.ended(PATIENCE_MS);
  const { [CRASH_POINT_VARIABLE]: _point, ...env } = process.extraEnv;
  process.extraEnv = env;
}
