import type { Clock } from '../../core/ports/clock';
import type { IdSource } from '../../core/ports/ids';
import type { AppService } from '../../core/ports/app-service';
import type { Records, RecordWrite, Stored } from '../../core/ports/records';
import { type Metadata, metadataSchema, timestamp } from '../../core/records/metadata';
import type { Kind, RecordOf } from '../../core/records/records';
import { isObject, type JsonObject, omit, sameJson } from './json';
import type { Draft } from './draft';
import type { ObjectName } from './names';
import type { Item } from './source';
import type { Subject } from './status';
import type { WireObject } from './wire';

/** What savers are made of. */
export interface SaverParts {
  readonly records: Records;
  readonly apps: AppService;
  readonly clock: Clock;
  readonly ids: IdSource;
}

export interface SaveOptions {
  readonly dryRun: boolean;
  readonly force: boolean;
}

export interface SaveResult {
  /** What would be stored; only for a dry run, else the mirror has it. */
  readonly planned?: WireObject;
  readonly warnings: readonly string[];
}

/** Deletion as a client asked for it. */
export interface RemoveOptions {
  readonly dryRun: boolean;
  /** Seconds; 0 is `--force --grace-period=0`. */
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: string;
}

/** A draft in the form in which it would be stored. */
export interface Canonical {
  readonly object: WireObject;
  /** The spec as the user gave it, where what was left out has a meaning of its own. */
  readonly input?: JsonObject;
}

/** How objects of one kind are written. Each kind that can be written has one. */
export interface Saver {
  /** Fills in defaults. Throws 422, 403. */
  canonical(draft: Draft, name: ObjectName, live: Item | undefined, subject: Subject): Canonical;
  /** Stores it if the record is still as `live`. Throws ConflictError (core) when it is not. */
  save(canonical: Canonical, live: Item | undefined, options: SaveOptions, subject: Subject): Promise<SaveResult>;
  /** Begins or does the deletion. */
  remove(item: Item, options: RemoveOptions, subject: Subject): Promise<void>;
}

/** Stored metadata out of wire metadata. `resourceVersion` and the name of the URL are not stored. */
export function storedMetadata(
  object: WireObject,
  storedName: { readonly name: string; readonly namespace?: string },
  live: Stored<RecordOf[Kind]> | undefined,
  parts: Pick<SaverParts, 'clock' | 'ids'>,
  specChanged: boolean,
): Metadata {
  const before = live?.record.metadata;
  return metadataSchema.parse({
    ...omit(object.metadata, 'resourceVersion', 'name', 'namespace', 'generateName'),
    ...storedName,
    uid: before?.uid ?? parts.ids.uuid(),
    generation: before === undefined ? 1 : before.generation + (specChanged ? 1 : 0),
    creationTimestamp: before?.creationTimestamp ?? timestamp(parts.clock.nowMs()),
  });
}

/** True when two specs say the same. */
export function sameSpec(object: WireObject, live: Item | undefined): boolean {
  return sameJson(object['spec'], live?.object['spec']);
}

export function finalizersOf(object: WireObject): readonly string[] {
  const { finalizers } = object.metadata;
  return Array.isArray(finalizers) ? finalizers.map(String) : [];
}

export function textsAt(object: WireObject, key: 'labels' | 'annotations'): Readonly<Record<string, string>> {
  const value = object.metadata[key];
  return isObject(value) ? Object.fromEntries(Object.entries(value).map(([name, text]) => [name, String(text)])) : {};
}

/** Writes the record, or takes it away when it was to be deleted and its last finalizer has gone. */
export function writeOf(
  put: Extract<RecordWrite, { op: 'put' }>,
  finalizers: readonly string[],
  deleting: boolean,
): RecordWrite {
  if (!deleting || finalizers.length > 0) return put;
  const { kind, path, expect } = put;
  return { op: 'delete', kind, path, ...(expect === undefined ? {} : { expect }) };
}
