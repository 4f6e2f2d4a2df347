import type { FrameworkInfo, Offer, TaskInfo, TaskStatus } from '../records/mesos';

/** Mesos v1 scheduler calls and events, as data. The orchestrator and foreign frameworks speak this and nothing else. */

export interface Filters {
  /** Mesos default 5; at most 31536000; 0: no filter. */
  readonly refuse_seconds?: number;
}

interface Id {
  readonly value: string;
}

export interface LaunchOperation {
  readonly type: 'LAUNCH';
  readonly launch: { readonly task_infos: readonly TaskInfo[] };
}

export type SchedulerCall =
  | {
      readonly type: 'ACCEPT';
      readonly accept: {
        readonly offer_ids: readonly Id[];
        readonly operations: readonly LaunchOperation[];
        readonly filters?: Filters;
      };
    }
  | { readonly type: 'DECLINE'; readonly decline: { readonly offer_ids: readonly Id[]; readonly filters?: Filters } }
  | { readonly type: 'REVIVE'; readonly revive?: { readonly roles?: readonly string[] } }
  | { readonly type: 'SUPPRESS'; readonly suppress?: { readonly roles?: readonly string[] } }
  | {
      readonly type: 'KILL';
      readonly kill: {
        readonly task_id: Id;
        readonly agent_id?: Id;
        readonly kill_policy?: { readonly grace_period?: { readonly nanoseconds: number } };
      };
    }
  | {
      readonly type: 'ACKNOWLEDGE';
      readonly acknowledge: { readonly agent_id: Id; readonly task_id: Id; readonly uuid: string };
    }
  | {
      readonly type: 'RECONCILE';
      readonly reconcile: { readonly tasks: readonly { readonly task_id: Id; readonly agent_id?: Id }[] };
    }
  | {
      readonly type: 'UPDATE_FRAMEWORK';
      readonly update_framework: {
        readonly framework_info: FrameworkInfo;
        readonly suppressed_roles?: readonly string[];
      };
    }
  | { readonly type: 'TEARDOWN' };

export type SchedulerEvent =
  | {
      readonly type: 'SUBSCRIBED';
      readonly subscribed: { readonly framework_id: Id; readonly heartbeat_interval_seconds: number };
    }
  | { readonly type: 'OFFERS'; readonly offers: { readonly offers: readonly Offer[] } }
  | { readonly type: 'RESCIND'; readonly rescind: { readonly offer_id: Id } }
  | { readonly type: 'UPDATE'; readonly update: { readonly status: TaskStatus } }
  | { readonly type: 'FAILURE'; readonly failure: { readonly agent_id?: Id } }
  | { readonly type: 'ERROR'; readonly error: { readonly message: string } }
  | { readonly type: 'HEARTBEAT' };

/** One open subscription. */
export interface SchedulerConnection {
  /**
   * Calls take effect in the order they were made. Resolves when the master has taken the call (for ACCEPT: when the tasks
   * are durable or refused; the outcome of each task comes as UPDATE). Rejects with UnavailableError once closed.
   */
  call(call: SchedulerCall): Promise<void>;
  close(): void;
}

/** How a framework reaches the leading master: in process or over HTTP. */
export interface SchedulerDriver {
  /**
   * Opens a subscription; `onEvent` hears every event in order, the first is SUBSCRIBED. With an id known to the master it is
   * a fail-over: an older subscription is closed. `onClosed` is called once when it ends for any reason but close().
   */
  subscribe(
    info: FrameworkInfo,
    onEvent: (event: SchedulerEvent) => void,
    onClosed: (reason: string) => void,
    suppressedRoles?: readonly string[],
  ): Promise<SchedulerConnection>;
}
