import { timestamp } from '../../core/records/metadata';
import {
  type Agent,
  agentSchema,
  type BerthEvent,
  eventSchema,
  type Group,
  groupSchema,
  type Kind,
  type RecordOf,
  type Role,
  roleSchema,
} from '../../core/records/records';
import type { Stored } from '../../core/ports/records';
import type { Draft } from './draft';
import { isObject, omit, plainText, sameJson } from './json';
import { groupPathOf, type ObjectName, rolePathOf } from './names';
import {
  type Canonical,
  finalizersOf,
  type RemoveOptions,
  sameSpec,
  type Saver,
  type SaveOptions,
  type SaverParts,
  type SaveResult,
  storedMetadata,
  writeOf,
} from './saver';
import type { Item } from './source';
import { forbidden, invalidField, methodNotAllowed, type Subject } from './status';
import { parsed } from './violations';
import { eventFields } from './wire';

function storedOf<K extends Kind>(kind: K, item: Item | undefined): Stored<RecordOf[K]> | undefined {
  const stored = item?.stored;
  return stored !== undefined && isOf(kind, stored) ? stored : undefined;
}

function isOf<K extends Kind>(kind: K, stored: Stored<RecordOf[Kind]>): stored is Stored<RecordOf[K]> {
  return stored.record.kind === kind;
}

/** Sets deletionTimestamp when finalizers hold the record, else deletes it. */
async function removeRecord(
  parts: SaverParts,
  kind: 'Group' | 'Role' | 'Event',
  item: Item,
  dryRun: boolean,
): Promise<void> {
  if (dryRun) return;
  const { path, revision, record } = item.stored ?? {};
  if (path === undefined || revision === undefined || record === undefined) return;
  const { finalizers, deletionTimestamp } = record.metadata;
  if (finalizers === undefined || finalizers.length === 0) {
    await parts.records.write([{ op: 'delete', kind, path, expect: revision }]);
    return;
  }
  if (deletionTimestamp !== undefined) return;
  const metadata = { ...record.metadata, deletionTimestamp: timestamp(parts.clock.nowMs()) };
  if (record.kind === 'Group' || record.kind === 'Role' || record.kind === 'Event')
    await parts.records.write([putOf({ ...record, metadata }, path, revision)]);
}

function putOf(record: Group | Role | Agent | BerthEvent, path: string, expect: number) {
  switch (record.kind) {
    case 'Group':
      return { op: 'put', kind: 'Group', path, record, expect } as const;
    case 'Role':
      return { op: 'put', kind: 'Role', path, record, expect } as const;
    case 'Agent':
      return { op: 'put', kind: 'Agent', path, record, expect } as const;
    case 'Event':
      return { op: 'put', kind: 'Event', path, record, expect } as const;
  }
}

/** Groups and roles: their whole spec is the user's. */
export class SpecSaver implements Saver {
  /** @param key the field of the spec that repeats the name */
  constructor(
    private readonly parts: SaverParts,
    private readonly kind: 'Group' | 'Role',
  ) {}

  canonical({ object }: Draft, name: ObjectName, _live: Item | undefined, subject: Subject): Canonical {
    const [key, value] = this.named(name);
    const given = isObject(object['spec']) ? object['spec'] : {};
    if (given[key] !== undefined && given[key] !== value)
      throw invalidField(
        subject,
        `spec.${key}`,
        `Invalid value: ${JSON.stringify(given[key])}: the name makes it ${value}`,
      );
    const schema = this.kind === 'Group' ? groupSchema.shape.spec : roleSchema.shape.spec;
    return { object: { ...object, spec: parsed<object>(schema, { ...given, [key]: value }, subject, 'spec') } };
  }

  async save(
    { object }: Canonical,
    live: Item | undefined,
    { dryRun }: SaveOptions,
    subject: Subject,
  ): Promise<SaveResult> {
    const stored = storedOf(this.kind, live);
    const path = stored?.path ?? this.path({ name: subject.name ?? '' });
    if (path === undefined) throw invalidField(subject, 'metadata.name', 'Invalid value: no object can have this name');
    const storedName = { name: stored?.record.metadata.name ?? (this.kind === 'Role' ? path : `/${path}`) };
    const metadata = storedMetadata(object, storedName, stored, this.parts, !sameSpec(object, live));
    const planned = { ...object, metadata: { ...metadata, name: subject.name } };
    if (dryRun) return { planned, warnings: [] };
    const schema = this.kind === 'Group' ? groupSchema : roleSchema;
    const record = schema.parse({ ...stored?.record, kind: this.kind, metadata, spec: object['spec'] });
    const put = putOf(record, path, stored?.revision ?? 0);
    await this.parts.records.write([writeOf(put, finalizersOf(object), metadata.deletionTimestamp !== undefined)]);
    return { warnings: [] };
  }

  async remove(item: Item, { dryRun }: RemoveOptions): Promise<void> {
    await removeRecord(this.parts, this.kind, item, dryRun);
  }

  private path(name: ObjectName): string | undefined {
    return this.kind === 'Group' ? groupPathOf(name) : rolePathOf(name);
  }

  private named(name: ObjectName): readonly [string, string] {
    const path = this.path(name) ?? '';
    return this.kind === 'Group' ? ['id', `/${path}`] : ['name', path];
  }
}

/** Agents: written by the master; users may cordon them, label them, annotate them, and delete those that will not come back. */
export class AgentSaver implements Saver {
  constructor(private readonly parts: SaverParts) {}

  canonical({ object }: Draft, _name: ObjectName, live: Item | undefined, subject: Subject): Canonical {
    const before = live?.object['spec'];
    const spec = object['spec'];
    if (!isObject(spec) || !isObject(before)) throw forbidden(subject, 'spec cannot be taken away');
    const fixed = omit(before, 'unschedulable');
    if (!sameJson(omit(spec, 'unschedulable'), fixed))
      throw forbidden(
        subject,
        'the agent itself says what it is and has: only spec.unschedulable, metadata.labels and metadata.annotations can be changed',
      );
    const schema = agentSchema.shape.spec.shape.unschedulable;
    const cordoned = parsed(schema, spec['unschedulable'] ?? undefined, subject, 'spec.unschedulable');
    return { object: { ...object, spec: cordoned === undefined ? fixed : { ...fixed, unschedulable: cordoned } } };
  }

  async save({ object }: Canonical, live: Item | undefined, { dryRun }: SaveOptions): Promise<SaveResult> {
    const stored = storedOf('Agent', live);
    if (stored === undefined || dryRun) return { planned: object, warnings: [] };
    const { record, path, revision } = stored;
    const storedName = { name: record.metadata.name };
    const metadata = storedMetadata(object, storedName, stored, this.parts, !sameSpec(object, live));
    const changed = agentSchema.parse({ ...record, metadata, spec: object['spec'] });
    await this.parts.records.write([putOf(changed, path, revision)]);
    return { warnings: [] };
  }

  /** Says that an agent will not come back: its tasks count as gone. One that answers would only register again. */
  async remove({ stored }: Item, { dryRun, gracePeriodSeconds }: RemoveOptions, subject: Subject): Promise<void> {
    if (stored?.record.kind !== 'Agent') return;
    const { record, path, revision } = stored;
    const { state } = record.status;
    // The record does not tell of an agent that is silent and not declared unreachable yet; the master knows.
    const isForced = gracePeriodSeconds === 0;
    if (state !== 'unreachable' && state !== 'gone' && !isForced)
      throw forbidden(
        subject,
        `it is ${state}; stop it and delete it when it is unreachable (if it is silent: --force --grace-period=0)`,
      );
    if (!dryRun) await this.parts.records.write([{ op: 'delete', kind: 'Agent', path, expect: revision }]);
  }
}

/** Events: can be made (in either form) and deleted. */
export class EventSaver implements Saver {
  constructor(private readonly parts: SaverParts) {}

  canonical({ object }: Draft, name: ObjectName, live: Item | undefined, subject: Subject): Canonical {
    if (live !== undefined) throw methodNotAllowed('events are facts; they can be made and deleted, not changed');
    const now = timestamp(this.parts.clock.nowMs());
    const fields = { ...eventFields(object, now), kind: 'Event', metadata: { ...PLACEHOLDER, name: name.name } };
    const event = parsed(eventSchema, fields, subject, 'event');
    return { object: { ...event, apiVersion: object.apiVersion, metadata: object.metadata } };
  }

  async save(
    { object }: Canonical,
    _live: Item | undefined,
    { dryRun }: SaveOptions,
    subject: Subject,
  ): Promise<SaveResult> {
    const name = subject.name ?? '';
    const namespace = plainText(object.metadata['namespace'] ?? 'default');
    const metadata = storedMetadata(object, { name, namespace }, undefined, this.parts, true);
    const record = eventSchema.parse({ ...omit(object, 'apiVersion'), metadata });
    if (dryRun) return { planned: { ...object, metadata }, warnings: [] };
    await this.parts.records.write([putOf(record, `${namespace}/${name}`, 0)]);
    return { warnings: [] };
  }

  async remove(item: Item, { dryRun }: RemoveOptions): Promise<void> {
    await removeRecord(this.parts, 'Event', item, dryRun);
  }
}

/** Stands in for metadata while the rest of an event is checked. */
const PLACEHOLDER = { uid: '-', generation: 0, creationTimestamp: '' };
