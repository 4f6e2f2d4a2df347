import type { Terminal } from '../terminal';

/** One line per step, so that a person (or a log) can follow what takes how long. */
export class Progress {
  constructor(private readonly terminal: Terminal) {}

  /** Says what begins, runs it, says how it ended and after how many seconds. `work` gives the text of the good ending. */
  async step<T extends { readonly said: string }>(name: string, work: () => Promise<T>): Promise<T> {
    this.terminal.err(`- ${name} ... `);
    const startedMs = performance.now();
    try {
      const result = await work();
      this.terminal.err(`${result.said} (${((performance.now() - startedMs) / 1000).toFixed(1)} s)\n`);
      return result;
    } catch (error) {
      this.terminal.err('failed\n');
      throw error;
    }
  }

  /** A line beside the steps. */
  note(text: string): void {
    this.terminal.err(`  note: ${text}\n`);
  }
}
