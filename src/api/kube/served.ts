import type { Kind } from '../../core/records/records';
import { AppSaver } from './app-saver';
import { InstanceSaver, RolloutSaver, TaskSaver } from './kill-savers';
import { AgentSaver, EventSaver, SpecSaver } from './record-savers';
import { ALL_RESOURCES, isRecordResource, type RecordResource, type Resource } from './resources';
import type { Saver, SaverParts } from './saver';
import { partSchemas } from './schemas';
import { type Source, sourceOf } from './source';
import { noSuchPath } from './status';
import { Writer } from './writer';

/** Everything that serves one resource. */
export interface Served {
  readonly resource: Resource;
  readonly source: Source;
  /** Absent: nobody writes it here. */
  readonly saver?: Saver;
  readonly writer?: Writer;
}

/** All resources with what serves them; built once. */
export class ServedResources {
  private readonly byResource = new Map<Resource, Served>();

  constructor(parts: SaverParts) {
    for (const resource of ALL_RESOURCES) this.byResource.set(resource, served(resource, parts));
  }

  of(resource: Resource): Served {
    const found = this.byResource.get(resource);
    if (found === undefined) throw noSuchPath();
    return found;
  }
}

function served(resource: Resource, parts: SaverParts): Served {
  const source = sourceOf(resource, parts.records);
  if (!isRecordResource(resource)) return { resource, source };
  const saver = saverOf(resource.record, parts);
  if (saver === undefined) return { resource, source };
  return { resource, source, saver, writer: writerOf(resource, source, saver, parts) };
}

function writerOf(resource: RecordResource, source: Source, saver: Saver, parts: SaverParts): Writer {
  const schemas = { ...partSchemas(resource.record), ...(resource.record === 'Event' ? CORE_EVENT_FIELDS : {}) };
  return new Writer(resource, source, parts.records, saver, schemas);
}

/** What clients of the core group send beside the fields of our record; the schema of each is left open. */
const CORE_EVENT_FIELDS = Object.fromEntries(
  [
    'source',
    'involvedObject',
    'eventTime',
    'series',
    'action',
    'related',
    'reportingComponent',
    'reportingInstance',
  ].map((name) => [name, {}]),
);

function saverOf(kind: Kind, parts: SaverParts): Saver | undefined {
  switch (kind) {
    case 'App':
      return new AppSaver(parts);
    case 'Group':
    case 'Role':
      return new SpecSaver(parts, kind);
    case 'Agent':
      return new AgentSaver(parts);
    case 'Event':
      return new EventSaver(parts);
    case 'Instance':
      return new InstanceSaver(parts);
    case 'Task':
      return new TaskSaver(parts);
    case 'Rollout':
      return new RolloutSaver(parts);
    case 'AppVersion':
    case 'Framework':
      return undefined;
  }
}
