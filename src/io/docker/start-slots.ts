/**
 * At most `size` heavy engine calls at once: more only adds latency (measured). Starts go before creates, so that tasks begin to
 * run one after the other instead of all at the end.
 */
export class StartSlots {
  private free: number;
  private readonly waiting = { start: [] as (() => void)[], create: [] as (() => void)[] };

  constructor(size: number) {
    this.free = Math.max(1, size);
  }

  async run<T>(kind: 'create' | 'start', work: () => Promise<T>): Promise<T> {
    if (this.free > 0) this.free--;
    else await new Promise<void>((resolve) => this.waiting[kind].push(resolve));
    try {
      return await work();
    } finally {
      const next = this.waiting.start.shift() ?? this.waiting.create.shift();
      if (next === undefined) this.free++;
      else next();
    }
  }
}
