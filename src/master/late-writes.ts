import { LIMITS } from '../core/limits';
import type { RecordChange } from '../core/ports/records';
import type { MasterContext } from './context';

/**
 * Creations that were given up and may still take effect. A compare-and-swap protects every later write of the record, but not
 * its absence: once the record is removed, the late creation finds the place free. Such a record is removed again.
 */
export class LateWrites {
  /** Path -> monotonic milliseconds when its write was last in doubt, oldest first. */
  private readonly doubtful = new Map<string, number>();
  private readonly removed = new Set<string>();
  private readonly unsubscribe: () => void;

  constructor(
    private readonly context: MasterContext,
    private readonly removeAgain: (taskPath: string) => void,
  ) {
    this.unsubscribe = context.records.onChange((changes) => this.look(changes));
  }

  doubt(taskPath: string): void {
    const nowMs = this.context.clock.monotonicMs();
    this.doubtful.delete(taskPath);
    this.doubtful.set(taskPath, nowMs);
    for (const [path, atMs] of this.doubtful) {
      if (nowMs - atMs <= LIMITS.lateWriteMs) break;
      this.doubtful.delete(path);
      this.removed.delete(path);
    }
  }

  removes(taskPath: string): void {
    if (this.doubtful.has(taskPath)) this.removed.add(taskPath);
  }

  puts(taskPath: string): void {
    this.removed.delete(taskPath);
  }

  close(): void {
    this.unsubscribe();
  }

  private look(changes: readonly RecordChange[]): void {
    if (this.removed.size === 0) return;
    const tasks = this.context.records.collection('Task');
    for (const { kind, path } of changes) {
      if (kind !== 'Task' || !this.removed.has(path) || tasks.get(path) === undefined) continue;
      this.context.log.warn('a task record came back by a late write and is removed again', { path });
      this.removeAgain(path);
    }
  }
}
