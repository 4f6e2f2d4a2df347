import type { Records, RecordChange } from '../../core/ports/records';
import type { App } from '../../core/records/app';
import type { Framework, Instance } from '../../core/records/records';
import type { Kind } from '../../core/records/records';
import { definitionView } from './app-view';
import { rolloutEvents } from './rollout-events';
import { taskEvents } from './task-events';

/** One event as clients of /v2/events get it, but for its timestamp. */
export interface MarathonEvent {
  readonly eventType: string;
  readonly fields: Readonly<Record<string, unknown>>;
  /** Left out for clients that ask for plan-format=light. */
  readonly plan?: Readonly<Record<string, unknown>>;
}

export interface EventContext {
  readonly records: Records;
  /** Of the orchestrator. */
  readonly frameworkId: string | undefined;
  /** `host:port` of the leading master. */
  readonly master: string | undefined;
}

/**
 * What changed records mean in Marathon's events, in order. Derived from records alone, so that every replica tells the same
 * story about every change, whoever made it. Inside one revision: definitions, then new deployments, then tasks, then the
 * progress of deployments.
 */
export function eventsOf(changes: readonly RecordChange[], context: EventContext): MarathonEvent[] {
  return changes
    .map((change, i) => ({ change, i }))
    .sort((a, b) => a.change.revision - b.change.revision || rank(a.change) - rank(b.change) || a.i - b.i)
    .flatMap(({ change }) => eventsOfOne(change, context));
}

function rank(change: RecordChange): number {
  // An app that is gone is the last thing told about it.
  if (change.kind === 'App') return change.current === undefined ? 4 : 0;
  if (change.kind === 'Rollout') return change.previous === undefined ? 1 : 3;
  return 2;
}

function eventsOfOne(change: RecordChange, context: EventContext): MarathonEvent[] {
  if (is(change, 'App')) return appEvents(change.previous?.record, change.current?.record);
  if (is(change, 'Rollout')) return rolloutEvents(context.records, change.previous?.record, change.current?.record);
  if (is(change, 'Task')) return taskEvents(context.records, change.previous?.record, change.current?.record);
  if (is(change, 'Instance')) return instanceEvents(change.previous?.record, change.current?.record);
  if (is(change, 'Framework') && change.path === context.frameworkId)
    return frameworkEvents(change.previous?.record, change.current?.record, context);
  return [];
}

function is<K extends Kind>(change: RecordChange, kind: K): change is RecordChange<K> {
  return change.kind === kind;
}

function appEvents(previous: App | undefined, current: App | undefined): MarathonEvent[] {
  if (current === undefined)
    return previous === undefined ? [] : [{ eventType: 'app_terminated_event', fields: { appId: previous.spec.id } }];
  const { spec } = current;
  if (previous?.spec.version === spec.version) return [];
  const posted: MarathonEvent = {
    eventType: 'api_post_event',
    fields: { clientIp: '', uri: `/v2/apps${spec.id}`, appDefinition: definitionView(spec) },
  };
  return [posted, ...healthCheckEvents(previous, current)];
}

function healthCheckEvents(previous: App | undefined, { spec }: App): MarathonEvent[] {
  const before = previous?.spec.healthChecks ?? [];
  if (JSON.stringify(before) === JSON.stringify(spec.healthChecks)) return [];
  const removed = before.map(() => ({ eventType: 'remove_health_check_event', fields: { appId: spec.id } }));
  const added = spec.healthChecks.map((healthCheck) => ({
    eventType: 'add_health_check_event',
    fields: { appId: spec.id, version: spec.version, healthCheck },
  }));
  return [...removed, ...added];
}

/** A new instance, or a new run of one, waits for a place; what happens then is told by its task. */
function instanceEvents(previous: Instance | undefined, current: Instance | undefined): MarathonEvent[] {
  if (current === undefined || previous?.spec.incarnation === current.spec.incarnation) return [];
  const { appId, appVersion } = current.spec;
  return [
    {
      eventType: 'instance_changed_event',
      fields: {
        instanceId: current.metadata.name,
        condition: 'Scheduled',
        runSpecId: appId,
        agentId: null,
        host: '',
        runSpecVersion: appVersion,
      },
    },
  ];
}

function frameworkEvents(
  previous: Framework | undefined,
  current: Framework | undefined,
  { frameworkId, master }: EventContext,
): MarathonEvent[] {
  const [before, now] = [previous?.status.state, current?.status.state];
  if (before === now) return [];
  if (now === 'active' && before === undefined)
    return [{ eventType: 'scheduler_registered_event', fields: { frameworkId, master } }];
  if (now === 'active') return [{ eventType: 'scheduler_reregistered_event', fields: { master } }];
  return before === 'active' ? [{ eventType: 'scheduler_disconnected_event', fields: {} }] : [];
}
