import type { AppSpec, AppSpecInput } from '../records/app';

/** One change of desired apps. `/v2`, kubectl and the CLI all end here; the group manager implements it. */
export type AppChange =
  | {
      readonly kind: 'put';
      /** The complete new definition, canonical form; defaults are filled in. Server-set fields are ignored. */
      readonly spec: AppSpecInput;
      /** `create`: fails with AlreadyExistsError; `update`: with NotFoundError; `any`: either. */
      readonly mode: 'create' | 'update' | 'any';
      /** resourceVersion the caller has read: else ConflictError. */
      readonly expect?: number;
      /** New labels, annotations, managedFields, finalizers of the record; absent parts stay. */
      readonly metadata?: {
        readonly labels?: Readonly<Record<string, string>>;
        readonly annotations?: Readonly<Record<string, string>>;
        readonly managedFields?: readonly unknown[];
        readonly finalizers?: readonly string[];
      };
    }
  | { readonly kind: 'delete'; readonly id: string; readonly expect?: number; readonly uid?: string }
  | { readonly kind: 'restart'; readonly id: string };

export interface RolloutStarted {
  readonly rolloutId: string;
  readonly version: string;
  /** Definitions as stored (by app id), for those that were put. */
  readonly apps: readonly { readonly spec: AppSpec; readonly created: boolean; readonly revision: number }[];
  /** What the user should know: fields that are accepted but not acted upon yet. */
  readonly warnings: readonly string[];
}

export interface ChangeOptions {
  /** Cancels running rollouts of the same apps instead of failing with LockedError. */
  readonly force?: boolean;
  /** Validates and plans, writes nothing. */
  readonly dryRun?: boolean;
}

export interface KilledTask {
  readonly appId: string;
  readonly instanceId: string;
  readonly taskId: string;
}

/**
 * Changes of desired state. Works on every replica (compare-and-swap in the store). Errors: InvalidError (violations in
 * Marathon's path syntax), NotFoundError, AlreadyExistsError, ConflictError, LockedError, ForbiddenError (too many rollouts),
 * UnavailableError.
 */
export interface AppService {
  /** One rollout for all changes; all or nothing. A change that changes nothing still gives a rollout that ends at once. */
  apply(changes: readonly AppChange[], options?: ChangeOptions): Promise<RolloutStarted>;
  /** Marathon DELETE /v2/deployments/{id}: `force` only stops it; otherwise a new rollout restores what was before. */
  cancelRollout(rolloutId: string, force: boolean): Promise<RolloutStarted | undefined>;
  /**
   * Kills the named tasks; without `scale` each instance is started again, with it `instances` falls (a rollout). `wipe`: the
   * instance is forgotten and a new one made.
   */
  killTasks(
    taskIds: readonly string[],
    options: { readonly scale: boolean; readonly wipe: boolean; readonly force: boolean },
  ): Promise<{ readonly killed: readonly KilledTask[]; readonly rollout?: RolloutStarted }>;
  /** Clears the launch back-off. NotFoundError when nothing of the app waits. */
  resetDelay(appId: string): Promise<void>;
}
