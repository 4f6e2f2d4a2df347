import { messageOf } from '../../core/errors';
import { LIMITS } from '../../core/limits';
import type { CheckpointStore } from '../../core/ports/checkpoint';
import { sleep, type Clock } from '../../core/ports/clock';
import type { Logger } from '../../core/ports/logger';

const DOCUMENT = 'store';

/**
 * How far the history of the store had gone, beyond the life of this process. Restoring a snapshot usually means to stop all servers
 * first: without this none of them could know afterwards that what runs may be ahead of the records.
 */
export class SeenRevision {
  constructor(
    private readonly documents: CheckpointStore,
    private readonly clock: Clock,
    private readonly log: Logger,
  ) {}

  /** Not later than what was seen; 0 when nothing is known. Never rejects: without a disk the server works as well. */
  async load(): Promise<number> {
    try {
      const { documents } = await this.documents.list();
      const text = documents.find(({ name }) => name === DOCUMENT)?.text ?? '0';
      const revision: unknown = JSON.parse(text);
      return typeof revision === 'number' && Number.isSafeInteger(revision) ? revision : 0;
    } catch (error) {
      this.log.warn('it is not known how far the store had gone', { error: messageOf(error) });
      return 0;
    }
  }

  /** Writes the revision down every LIMITS.seenRevisionMs when it has changed and is not 0, until `signal` aborts. Never rejects. */
  async keep(revision: () => number, signal: AbortSignal): Promise<void> {
    let written = 0;
    for (;;) {
      await sleep(this.clock, LIMITS.seenRevisionMs, signal);
      const now = revision();
      if (now !== 0 && now !== written && (await this.write(now))) written = now;
      if (signal.aborted) return;
    }
  }

  private async write(revision: number): Promise<boolean> {
    try {
      await this.documents.write(DOCUMENT, String(revision));
      return true;
    } catch (error) {
      this.log.warn('how far the store has gone cannot be written down', { error: messageOf(error) });
      return false;
    }
  }
}
