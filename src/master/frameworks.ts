import { messageOf } from '../core/errors';
import type { SchedulerEvent } from '../core/ports/scheduler-driver';
import type { FrameworkInfo } from '../core/records/mesos';
import type { Framework } from '../core/records/records';
import type { MasterContext } from './context';

/** One subscription of a framework. */
export interface FrameworkConnection {
  readonly onEvent: (event: SchedulerEvent) => void;
  readonly onClosed: (reason: string) => void;
  /** True once SUBSCRIBED has been sent; events before that would come out of order. */
  isSubscribed: boolean;
}

export interface FrameworkEntry {
  readonly id: string;
  record: Framework;
  connection: FrameworkConnection | undefined;
  /** Monotonic; a disconnected framework that is not back by then is removed. */
  deadlineMs: number | undefined;
}

/** Mesos: with MULTI_ROLE `roles`, without it the one `role`, `*` by default. */
export function rolesOf(info: FrameworkInfo): readonly string[] {
  return hasCapability(info, 'MULTI_ROLE') ? (info.roles ?? []) : [info.role ?? '*'];
}

export function hasCapability(info: FrameworkInfo, type: string): boolean {
  return info.capabilities?.some((capability) => capability.type === type) ?? false;
}

/** Every framework the master knows, and the way to send to those that are subscribed. */
export class FrameworkTable {
  private readonly frameworks = new Map<string, FrameworkEntry>();

  constructor(private readonly context: MasterContext) {}

  get(id: string): FrameworkEntry | undefined {
    return this.frameworks.get(id);
  }

  all(): Iterable<FrameworkEntry> {
    return this.frameworks.values();
  }

  add(id: string, record: Framework): FrameworkEntry {
    const entry: FrameworkEntry = { id, record, connection: undefined, deadlineMs: undefined };
    this.frameworks.set(id, entry);
    return entry;
  }

  remove(id: string): void {
    this.frameworks.delete(id);
  }

  isSubscribed(id: string): boolean {
    return this.frameworks.get(id)?.connection?.isSubscribed === true;
  }

  /** Removed for good, by itself or because it did not come back in time: its updates have nobody to hear them. */
  isCompleted(id: string): boolean {
    return this.frameworks.get(id)?.record.status.state === 'completed';
  }

  isPartitionAware(id: string): boolean {
    const entry = this.frameworks.get(id);
    return entry !== undefined && hasCapability(entry.record.spec.info, 'PARTITION_AWARE');
  }

  /** False: nobody is subscribed, the event is dropped. */
  send(id: string, event: SchedulerEvent): boolean {
    const connection = this.frameworks.get(id)?.connection;
    if (connection?.isSubscribed !== true) return false;
    try {
      connection.onEvent(event);
    } catch (error) {
      this.context.log.error('a framework failed to take an event', {
        frameworkId: id,
        type: event.type,
        error: messageOf(error),
      });
    }
    return true;
  }

  sendToAll(event: SchedulerEvent): void {
    for (const id of [...this.frameworks.keys()]) this.send(id, event);
  }
}
