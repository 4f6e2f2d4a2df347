import { ConflictError, FencedError, messageOf, TooLargeError, UnavailableError } from '../core/errors';
import { LIMITS } from '../core/limits';
import { sleep } from '../core/ports/clock';
import type { RecordWrite } from '../core/ports/records';
import type { Framework, Task } from '../core/records/records';
import type { MasterContext } from './context';
import { LateWrites } from './late-writes';

type JournalWrite = Extract<RecordWrite, { op: 'put' | 'delete' }>;

interface Waiter {
  resolve(): void;
  reject(error: unknown): void;
}

/** The writes of one path: what is waiting, and whether an earlier one is under way. */
interface Slot {
  write: JournalWrite | undefined;
  waiters: Waiter[];
  isInFlight: boolean;
}

interface Batch {
  readonly slots: readonly Slot[];
  readonly writes: readonly JournalWrite[];
  readonly waiters: readonly (readonly Waiter[])[];
}

/**
 * Writes of records that only the master writes (tasks, frameworks), fenced by the term. What is asked for in one go becomes
 * one commit; writes of one path never overtake each other, and of those that wait only the last is written. While the store
 * does not answer it repeats (its writes are absolute, so repeating is harmless), each time as a compare-and-swap; when the
 * term is over everything rejects.
 */
export class Journal {
  private readonly slots = new Map<string, Slot>();
  private queue: { readonly key: string; readonly slot: Slot }[] = [];
  private inFlight = 0;
  private isScheduled = false;
  private isClosed = false;
  private readonly late: LateWrites;

  constructor(
    private readonly context: MasterContext,
    /** The store says that another leads: stop at once. */
    private readonly onFenced: () => void,
  ) {
    this.late = new LateWrites(context, (path) => void this.deleteTask(path).catch(() => undefined));
  }

  /** Paths that wait or are under way. */
  get pending(): number {
    return this.slots.size;
  }

  /** Resolves when this record, or a newer one of the same path, is durable. */
  putTask(path: string, record: Task): Promise<void> {
    this.late.puts(path);
    return this.add(`t/${path}`, { op: 'put', kind: 'Task', path, record });
  }

  deleteTask(path: string): Promise<void> {
    this.late.removes(path);
    return this.add(`t/${path}`, { op: 'delete', kind: 'Task', path });
  }

  putFramework(id: string, record: Framework): Promise<void> {
    return this.add(`f/${id}`, { op: 'put', kind: 'Framework', path: id, record });
  }

  deleteFramework(id: string): Promise<void> {
    return this.add(`f/${id}`, { op: 'delete', kind: 'Framework', path: id });
  }

  /** Rejects everything that waits with FencedError. */
  close(): void {
    this.isClosed = true;
    this.late.close();
    for (const slot of this.slots.values()) for (const waiter of slot.waiters) waiter.reject(new FencedError());
    this.slots.clear();
    this.queue = [];
  }

  private add(key: string, write: JournalWrite): Promise<void> {
    if (this.isClosed) return Promise.reject(new FencedError());
    return new Promise((resolve, reject) => {
      const slot = this.slots.get(key) ?? { write: undefined, waiters: [], isInFlight: false };
      this.slots.set(key, slot);
      if (slot.write === undefined && !slot.isInFlight) this.queue.push({ key, slot });
      slot.write = write;
      slot.waiters.push({ resolve, reject });
      this.schedule();
    });
  }

  /** After the present turn, so that all it writes becomes one commit. */
  private schedule(): void {
    if (this.isScheduled || this.inFlight >= LIMITS.masterCommitsInFlight) return;
    this.isScheduled = true;
    void Promise.resolve().then(() => {
      this.isScheduled = false;
      while (this.queue.length > 0 && this.inFlight < LIMITS.masterCommitsInFlight) void this.commitNext();
    });
  }

  private async commitNext(): Promise<void> {
    const taken = this.queue.splice(0, LIMITS.commitWrites);
    const batch = take(taken.map(({ slot }) => slot));
    this.inFlight += 1;
    await this.commit(batch);
    this.inFlight -= 1;
    if (this.isClosed) return;
    for (const { key, slot } of taken) {
      slot.isInFlight = false;
      if (slot.write === undefined) this.slots.delete(key);
      else this.queue.push({ key, slot });
    }
    if (this.queue.length > 0) this.schedule();
  }

  private async commit(batch: Batch): Promise<void> {
    let pauseMs: number = LIMITS.retryFirstMs;
    for (;;) {
      try {
        await this.context.records.write(
          batch.writes.map((write) => this.expecting(write)),
          this.context.term.fence,
        );
        return settle(batch, (waiter) => waiter.resolve());
      } catch (error) {
        if (error instanceof TooLargeError && batch.writes.length > 1) return this.commitHalves(batch);
        if (this.isClosed || this.context.term.signal.aborted || error instanceof FencedError) {
          settle(batch, (waiter) => waiter.reject(new FencedError()));
          return this.onFenced();
        }
        if (!(error instanceof UnavailableError || error instanceof ConflictError))
          return settle(batch, (waiter) => waiter.reject(error));
        this.context.log.warn('tasks could not be written, trying again', { error: messageOf(error), pauseMs });
        for (const { kind, op, path } of batch.writes) if (kind === 'Task' && op === 'put') this.late.doubt(path);
        // An attempt that seemed to fail may have taken effect: the mirror must see it before the next one.
        await this.context.records.sync().catch(() => undefined);
      }
      await sleep(this.context.clock, pauseMs, this.context.term.signal);
      pauseMs = Math.min(2 * pauseMs, LIMITS.retryLastMs);
    }
  }

  /**
   * As a compare-and-swap against what this replica has seen, which nobody else writes: an attempt that was given up and takes
   * effect late must not undo what has been written since.
   */
  private expecting(write: JournalWrite): RecordWrite {
    const { records } = this.context;
    const stored = records.collection(write.kind).get(write.path);
    if (stored !== undefined) return { ...write, expect: stored.revision };
    // What cannot be read has no revision here; it is written over, as it is the master's own.
    const isCorrupt = records.corrupt().some(({ key }) => key.endsWith(`/${write.path}`));
    return isCorrupt ? write : { ...write, expect: 0 };
  }

  private async commitHalves({ slots, writes, waiters }: Batch): Promise<void> {
    const half = writes.length >> 1;
    const part = (from: number, to: number): Batch => ({
      slots: slots.slice(from, to),
      writes: writes.slice(from, to),
      waiters: waiters.slice(from, to),
    });
    await this.commit(part(0, half));
    await this.commit(part(half, writes.length));
  }
}

function take(slots: readonly Slot[]): Batch {
  const writes: JournalWrite[] = [];
  const waiters: Waiter[][] = [];
  for (const slot of slots) {
    if (slot.write === undefined) continue;
    writes.push(slot.write);
    waiters.push(slot.waiters);
    slot.write = undefined;
    slot.waiters = [];
    slot.isInFlight = true;
  }
  return { slots, writes, waiters };
}

function settle(batch: Batch, each: (waiter: Waiter) => void): void {
  for (const waiters of batch.waiters) for (const waiter of waiters) each(waiter);
}
