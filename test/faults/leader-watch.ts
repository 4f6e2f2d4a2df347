import type { Testbed } from '../testbed/testbed';
import { holders } from './cluster';

/** Milliseconds between two looks. */
const PAUSE_MS = 50;

/** Looks, from its start to its end, whether two servers lead at once. */
export class LeaderWatch {
  private readonly doubles: string[] = [];
  private looks = 0;
  private isOver = false;
  private readonly watching: Promise<void>;

  constructor(private readonly bed: Testbed) {
    this.watching = this.watch();
  }

  /** Ends it. Answers with the servers that led at once, and how often was looked. */
  async end(): Promise<{ readonly doubles: readonly string[]; readonly looks: number }> {
    this.isOver = true;
    await this.watching;
    return { doubles: this.doubles, looks: this.looks };
  }

  private async watch(): Promise<void> {
    while (!this.isOver) {
      const first = await holders(this.bed);
      // The answers of one look are some milliseconds apart, and a handover takes less.
      const again = first.length > 1 ? await holders(this.bed, first) : [];
      if (again.length > 1) this.doubles.push(again.map(({ node }) => node.name).join(' and '));
      this.looks++;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
}
