import { decodeFields, encodeFields, type FieldSet, ownableFields, pathOf, valueAt } from './field-set';
import { isObject, type JsonObject, sameJson } from './json';

/** Who owns which fields of an object (Kubernetes: metadata.managedFields, one entry decoded). */
export interface Owner {
  readonly manager: string;
  readonly operation: 'Apply' | 'Update';
  readonly apiVersion: string;
  readonly time: string;
  readonly subresource?: string;
  readonly fields: FieldSet;
}

/** Who writes, and when (ISO-8601 without fractions). */
export interface Author {
  readonly manager: string;
  readonly apiVersion: string;
  readonly time: string;
  readonly subresource?: string;
}

/** Update entries kept per object (Kubernetes: 10); older ones are joined under this name. */
const UPDATE_OWNERS_MAX = 10;
const ANCIENT = 'ancient-changes';

/** Reads metadata.managedFields; entries that make no sense are left out. */
export function ownersOf(managedFields: unknown): Owner[] {
  if (!Array.isArray(managedFields)) return [];
  return managedFields.flatMap((entry: unknown): Owner[] => {
    if (!isObject(entry)) return [];
    const { manager, operation, apiVersion, time, subresource, fieldsV1 } = entry;
    if (typeof manager !== 'string' || (operation !== 'Apply' && operation !== 'Update')) return [];
    return [
      {
        manager,
        operation,
        apiVersion: typeof apiVersion === 'string' ? apiVersion : '',
        time: typeof time === 'string' ? time : '',
        ...(typeof subresource === 'string' && subresource !== '' ? { subresource } : {}),
        fields: decodeFields(fieldsV1),
      },
    ];
  });
}

/** Writes metadata.managedFields; owners of nothing are left out. */
export function managedFieldsOf(owners: readonly Owner[]): JsonObject[] {
  return owners
    .filter((owner) => owner.fields.size > 0)
    .map(({ manager, operation, apiVersion, time, subresource, fields }) => ({
      manager,
      operation,
      apiVersion,
      ...(time === '' ? {} : { time }),
      fieldsType: 'FieldsV1',
      fieldsV1: encodeFields(fields),
      ...(subresource === undefined ? {} : { subresource }),
    }));
}

export function isOwner(owner: Owner, author: Author, operation: Owner['operation']): boolean {
  return owner.manager === author.manager && owner.operation === operation && owner.subresource === author.subresource;
}

/**
 * Ownership after a write that is not a server-side apply: the author owns what it changed, everyone else loses that, and
 * nobody owns what is gone.
 */
export function afterUpdate(
  owners: readonly Owner[],
  before: JsonObject | undefined,
  after: JsonObject,
  author: Author,
): Owner[] {
  const present = ownableFields(after);
  const changed = new Set(
    [...present].filter((field) => {
      const path = pathOf(field);
      return before === undefined || !sameJson(valueAt(before, path), valueAt(after, path));
    }),
  );
  const kept = owners.map((owner) => ({
    ...owner,
    fields: new Set([...owner.fields].filter((field) => present.has(field) && !changed.has(field))),
  }));
  if (changed.size === 0) return kept;
  const own = kept.find((owner) => isOwner(owner, author, 'Update'));
  const mine: Owner = { ...author, operation: 'Update', fields: new Set([...(own?.fields ?? []), ...changed]) };
  return bounded([...kept.filter((owner) => owner !== own), mine]);
}

/** Joins the oldest Update entries so that their number has a limit. */
function bounded(owners: readonly Owner[]): Owner[] {
  const filled = owners.filter((owner) => owner.fields.size > 0);
  const updates = filled.filter((owner) => owner.operation === 'Update');
  const surplus = updates.length - UPDATE_OWNERS_MAX;
  if (surplus <= 0) return filled;
  const oldest = [...updates].sort((a, b) => a.time.localeCompare(b.time)).slice(0, surplus + 1);
  const first = oldest[0];
  if (first === undefined) return filled;
  const joined: Owner = {
    manager: ANCIENT,
    operation: 'Update',
    apiVersion: first.apiVersion,
    time: oldest[oldest.length - 1]?.time ?? first.time,
    fields: new Set(oldest.flatMap((owner) => [...owner.fields])),
  };
  return [joined, ...filled.filter((owner) => !oldest.includes(owner))];
}

/** True when both say the same, whatever the times. */
export function sameOwners(a: readonly Owner[], b: readonly Owner[]): boolean {
  const strip = (owners: readonly Owner[]) => managedFieldsOf(owners.map((owner) => ({ ...owner, time: '' })));
  return sameJson(strip(a), strip(b));
}
