import type { Attempt } from '../promises';

/** One thing that was seen in a real run. Times are milliseconds since the recording began, on the runner's clock. */
export type Observation = { readonly atMs: number } & Sight;

export type Sight =
  /** One revision of the store; `null`: the key was deleted. */
  | { readonly kind: 'commit'; readonly revision: number; readonly changes: readonly KeyChange[] }
  | {
      readonly kind: 'attempt';
      readonly number: number;
      readonly appId: string;
      readonly what: Attempt['kind'];
      /** See `wishOf`; absent: the app is gone, or as it was before. */
      readonly wish?: string;
      /** The run that is to be killed. */
      readonly taskId?: string;
      /** The app may stay as mixed as it is now. */
      readonly leavesHalfDone?: boolean;
    }
  | {
      readonly kind: 'answer';
      readonly number: number;
      readonly outcome: 'acknowledged' | 'refused' | 'unknown';
      readonly version?: string;
      readonly why?: string;
    }
  | { readonly kind: 'container'; readonly host: string; readonly taskId: string; readonly what: ContainerSight }
  /** The runner itself removed or stopped a container, past Berth. */
  | { readonly kind: 'by hand'; readonly taskId: string; readonly what: 'removed' | 'stopped' }
  /** What one replica answered to a reader. */
  | { readonly kind: 'read'; readonly replica: string; readonly appId: string; readonly version: string }
  | { readonly kind: 'fault'; readonly text: string };

export interface KeyChange {
  readonly key: string;
  readonly value: string | null;
}

export type ContainerSight = 'started' | 'stop asked' | 'ended' | 'removed';

/** Collects what several observers see, in the order in which they tell. */
export class Recording {
  private readonly seen: Observation[] = [];
  private readonly beganMs = performance.now();
  private readonly beganAtMs = Date.now();

  get observations(): readonly Observation[] {
    return this.seen;
  }

  nowMs(): number {
    return performance.now() - this.beganMs;
  }

  add(sight: Sight): void {
    this.seen.push({ atMs: this.nowMs(), ...sight });
  }

  /** Seen by somebody else's clock of the same machine; milliseconds since the epoch. */
  addAt(epochMs: number, sight: Sight): void {
    this.seen.push({ atMs: Math.max(0, epochMs - this.beganAtMs), ...sight });
  }
}
