import type { History } from './history';
import type { Truth } from './truth';

/** What readers were answered, held against the order in which the store got it. */
export class ReadRules {
  /** Replica and app -> place of the newest definition that it has answered. */
  private readonly newest = new Map<string, number>();

  constructor(
    private readonly truth: Truth,
    private readonly history: History,
  ) {}

  /** One replica answered that the app is of this version. */
  read(replica: string, appId: string, version: string): void {
    const place = this.truth.appOf(appId).definitions.findLastIndex((spec) => spec.version === version);
    if (place === -1) {
      this.history.violate('reads are of what the store had', `${replica} answered ${appId} ${version}`);
      return;
    }
    const key = `${replica} ${appId}`;
    const before = this.newest.get(key) ?? -1;
    if (place < before)
      this.history.violate(
        'reads never go back in time on one replica',
        `${replica} answered ${appId} ${version}, ${before - place} definitions older than what it had answered before`,
      );
    this.newest.set(key, Math.max(before, place));
  }
}
