import { codeOf } from '../error-text';
import { closeSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import type { ClusterFolder } from './cluster-state';
import { StepFailure } from './failure';
import { processFacts } from './process-table';

/** Runs `work` while no other `berth up` or `berth down` works on the same folder. Throws StepFailure if one does. */
export async function withLock<T>(folder: ClusterFolder, work: () => Promise<T>): Promise<T> {
  const path = folder.inside('lock');
  takeLock(path);
  try {
    return await work();
  } finally {
    rmSync(path, { force: true });
  }
}

function takeLock(path: string): void {
  const self = processFacts(process.pid);
  const content = JSON.stringify({ pid: process.pid, started: self?.started });
  if (tryCreate(path, content)) return;
  const holder = liveHolder(path);
  if (holder !== undefined)
    throw new StepFailure('start', `another berth command (process ${holder}) is at work on this folder`, {
      advice: 'wait for it to end',
    });
  rmSync(path, { force: true }); // its holder is gone without having tidied up
  if (!tryCreate(path, content))
    throw new StepFailure('start', 'another berth command has just started on this folder');
}

function tryCreate(path: string, content: string): boolean {
  try {
    const file = openSync(path, 'wx');
    writeSync(file, content);
    closeSync(file);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

function liveHolder(path: string): number | undefined {
  try {
    const holder: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (typeof holder !== 'object' || holder === null || !('pid' in holder) || !('started' in holder)) return undefined;
    const facts = processFacts(Number(holder.pid));
    return facts?.started === holder.started ? facts?.pid : undefined;
  } catch {
    return undefined;
  }
}
