import type { Attribute, Resource, TaskInfo, TaskState, TaskStatus } from '../records/mesos';

/**
 * What agent and leading master say to each other: `POST /api/v1/agent` on port 5050, RecordIO stream down, calls up, in the
 * style of the Mesos scheduler API (SUBSCRIBE answers 200 with a stream and a stream id; later calls carry that id in the
 * header Mesos-Stream-Id and get 202; a server that does not lead answers 307 to the leader).
 */

export interface AgentInfo {
  /** Absent on the first registration ever; the master then makes one and the agent keeps it. */
  readonly id?: string;
  readonly hostname: string;
  /** Port of the agent's HTTP server. */
  readonly port: number;
  readonly resources: readonly Resource[];
  readonly attributes: readonly Attribute[];
  readonly containerizers: readonly string[];
  readonly region?: string;
  readonly zone?: string;
  readonly version: string;
  /** A UUID made at each start of the agent process: tells two hosts with one id from one host that restarted. */
  readonly runId: string;
}

/** A task the agent knows: live, or ended with an update that is not acknowledged yet. */
export interface KnownTask {
  readonly info: TaskInfo;
  readonly frameworkId: string;
  readonly state: TaskState;
  /**
   * Its newest status, when that was acknowledged: every master had it on record, and one that has not lost its record. Absent:
   * updates follow.
   */
  readonly latest?: TaskStatus;
}

export type AgentCall =
  | {
      readonly type: 'SUBSCRIBE';
      readonly subscribe: {
        readonly agent: AgentInfo;
        readonly tasks: readonly KnownTask[];
        /** Counts the streams that this run of the agent has asked for: one that arrives late is known by it, and void. */
        readonly attempt?: number;
      };
    }
  | {
      /** Oldest unacknowledged update of each task first, repeated until acknowledged. */
      readonly type: 'UPDATE';
      readonly agentId: string;
      readonly update: { readonly updates: readonly AgentUpdate[] };
    }
  | { readonly type: 'PONG'; readonly agentId: string };

export interface AgentUpdate {
  readonly frameworkId: string;
  /** Always with uuid, agent_id and timestamp. */
  readonly status: TaskStatus;
  /** The newest state of the task, which may be ahead of `status` (Mesos: latest_state): frees resources early. */
  readonly latestState: TaskState;
}

export type AgentEvent =
  | {
      readonly type: 'SUBSCRIBED';
      readonly subscribed: {
        readonly agentId: string;
        /** Without a ping for so long the agent looks for the leader anew. Milliseconds. */
        readonly pingTimeoutMs: number;
      };
    }
  /** Idempotent: a task id the agent already knows is not launched again. */
  | {
      readonly type: 'LAUNCH';
      readonly launch: { readonly tasks: readonly { readonly frameworkId: string; readonly info: TaskInfo }[] };
    }
  /** Idempotent. A task the agent does not know is answered with an update TASK_GONE (TASK_KILLED if it never started). */
  | {
      readonly type: 'KILL';
      readonly kill: { readonly taskId: string; readonly frameworkId: string; readonly graceMs?: number };
    }
  | {
      readonly type: 'ACKNOWLEDGE';
      readonly acknowledge: { readonly updates: readonly { readonly taskId: string; readonly uuid: string }[] };
    }
  /** Answer with PONG. */
  | { readonly type: 'PING' }
  /** The agent must not go on under this id (`gone`, or a second host has it): says why, then the stream ends. */
  | { readonly type: 'SHUTDOWN'; readonly shutdown: { readonly message: string } }
  | { readonly type: 'ERROR'; readonly error: { readonly message: string } };

/** The agent's end of the link. Implementations: HTTP (io/wire) and in memory (test/sim). */
export interface AgentLink {
  /**
   * Finds the leader and opens the stream. `onEvent` hears events in order. Resolves when the stream is open (SUBSCRIBED
   * follows as an event); rejects with UnavailableError when no leader can be reached: the caller backs off and repeats.
   * `signal` aborts when the caller has given up before that: no server is asked any more, and the one that did not answer is not
   * the first to be asked next time.
   */
  connect(
    subscribe: Extract<AgentCall, { type: 'SUBSCRIBE' }>,
    onEvent: (event: AgentEvent) => void,
    onClosed: (reason: string) => void,
    signal?: AbortSignal,
  ): Promise<AgentSession>;
  /** Whether somebody else leads than the server that was connected to last, as the other servers say. False: none can tell. */
  hasOtherLeader?(): Promise<boolean>;
}

export interface AgentSession {
  /** Resolves when the master has taken the call (202); rejects with UnavailableError: repeat later or reconnect. */
  send(call: Exclude<AgentCall, { type: 'SUBSCRIBE' }>): Promise<void>;
  close(): void;
}
