import type { Clock, Timer } from '../../../src/core/ports/clock';

interface Due {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
  /** False once it ran or was cancelled. */
  waits: boolean;
}

/** A clock that stands still until told to go on. Timers run in order of time, then of creation. */
export class FakeClock implements Clock {
  private elapsedMs = 0;
  private created = 0;
  /** A binary heap, the next timer at index 0. Cancelled timers stay until they come up. */
  private readonly heap: Due[] = [];
  private waiting = 0;
  private ran = 0;

  constructor(private startMs = Date.UTC(2026, 0, 1)) {}

  nowMs(): number {
    return this.startMs + this.elapsedMs;
  }

  monotonicMs(): number {
    return this.elapsedMs;
  }

  after(delayMs: number, run: () => void): Timer {
    const due: Due = { atMs: this.elapsedMs + Math.max(0, delayMs), order: this.created++, run, waits: true };
    push(this.heap, due);
    this.waiting += 1;
    return { cancel: () => this.cancel(due) };
  }

  /** Changes the wall clock alone, as an administrator or NTP would. */
  jumpWallClock(byMs: number): void {
    this.startMs += byMs;
  }

  /** Lets `ms` pass at one go: runs every timer due, also those that timers add. Promises do not run in between. */
  advance(ms: number): void {
    const endMs = this.elapsedMs + ms;
    while (this.step(endMs));
    this.elapsedMs = endMs;
  }

  /** Like advance(), but lets all promises settle before the first timer, between timers and at the end. */
  async run(ms: number): Promise<void> {
    const endMs = this.elapsedMs + ms;
    await settled();
    while (this.step(endMs)) await settled();
    this.elapsedMs = endMs;
    await settled();
  }

  /** Runs until `condition` holds, at most `limitMs` of fake time; throws when it never does. */
  async runUntil(condition: () => boolean, limitMs = 600_000): Promise<void> {
    const endMs = this.elapsedMs + limitMs;
    await settled();
    while (!condition()) {
      if (!this.step(endMs)) throw new Error(`nothing left to happen within ${limitMs} ms, and the condition is false`);
      await settled();
    }
  }

  /** Milliseconds from now to the next timer, or undefined when there is none. */
  nextInMs(): number | undefined {
    const due = this.peek();
    return due === undefined ? undefined : due.atMs - this.elapsedMs;
  }

  /** Timers that wait. */
  get timers(): number {
    return this.waiting;
  }

  /** Timers that have run. */
  get fired(): number {
    return this.ran;
  }

  /** Runs the next timer if it is due by `endMs`. */
  private step(endMs: number): boolean {
    const due = this.peek();
    if (due === undefined || due.atMs > endMs) return false;
    pop(this.heap);
    this.cancel(due);
    this.elapsedMs = Math.max(this.elapsedMs, due.atMs);
    this.ran += 1;
    due.run();
    return true;
  }

  private peek(): Due | undefined {
    for (let due = this.heap[0]; due !== undefined; due = this.heap[0]) {
      if (due.waits) return due;
      pop(this.heap);
    }
    return undefined;
  }

  private cancel(due: Due): void {
    if (!due.waits) return;
    due.waits = false;
    this.waiting -= 1;
  }
}

/** Resolves when every promise that can go on has done so. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function before(a: Due, b: Due): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

function push(heap: Due[], due: Due): void {
  let at = heap.push(due) - 1;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    const above = heap[parent];
    if (above === undefined || before(above, due)) break;
    heap[at] = above;
    heap[parent] = due;
    at = parent;
  }
}

function pop(heap: Due[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let at = 0;
  for (;;) {
    const [left, right] = [heap[2 * at + 1], heap[2 * at + 2]];
    if (left === undefined) break;
    const rightFirst = right !== undefined && before(right, left);
    const child = rightFirst ? right : left;
    if (before(last, child)) break;
    heap[at] = child;
    at = 2 * at + (rightFirst ? 2 : 1);
  }
  heap[at] = last;
}
