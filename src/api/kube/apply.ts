import { deleteAt, type FieldSet, ownableFields, pathOf, setAt, textOf, touches, valueAt } from './field-set';
import { copyJson, copyObject, isObject, type JsonObject, sameJson } from './json';
import { type Author, isOwner, type Owner } from './managed-fields';
import type { StatusCause } from './status';

export interface Applied {
  /** The live object with the applied configuration merged in. */
  readonly object: JsonObject;
  readonly owners: readonly Owner[];
  /** Fields that others own with another value. Not empty: nothing may be written, unless forced. */
  readonly conflicts: readonly StatusCause[];
}

/**
 * Server-side apply: the author owns exactly the fields of `config` from now on. Fields it owned and left out go, unless
 * somebody else owns them too. A field that another owner has at another value is a conflict; `force` takes it over.
 */
export function serverSideApply(
  live: JsonObject | undefined,
  owners: readonly Owner[],
  config: JsonObject,
  author: Author,
  force: boolean,
): Applied {
  const wanted = ownableFields(config);
  const previous = owners.find((owner) => isOwner(owner, author, 'Apply'));
  const others = owners.filter((owner) => owner !== previous);
  const contested = [...wanted].filter((field) => {
    const path = pathOf(field);
    return !sameJson(valueAt(live, path), valueAt(config, path));
  });
  const conflicts = force ? [] : conflictsOf(contested, others);
  const remaining = others.map((owner) => without(owner, contested));

  const object = live === undefined ? copyObject({ ...config, metadata: {} }) : copyObject(live);
  removeAbandoned(object, previous?.fields ?? new Set(), wanted, remaining);
  for (const field of wanted) setAt(object, pathOf(field), copyJson(valueAt(config, pathOf(field))));

  const mine: Owner = { ...author, operation: 'Apply', fields: wanted };
  return { object, owners: [...remaining, unlessSame(previous, mine)], conflicts };
}

/** Keeps the time of the former entry when the set of fields did not change. */
function unlessSame(previous: Owner | undefined, mine: Owner): Owner {
  const same =
    previous !== undefined &&
    previous.fields.size === mine.fields.size &&
    [...mine.fields].every((field) => previous.fields.has(field));
  return same ? previous : mine;
}

function conflictsOf(contested: readonly string[], others: readonly Owner[]): StatusCause[] {
  return others.flatMap((owner) =>
    contested
      .filter((field) => overlaps(owner.fields, pathOf(field)))
      .map((field) => ({
        reason: 'FieldManagerConflict',
        message: `conflict with "${owner.manager}"${describe(owner)} using ${owner.apiVersion}`,
        field: textOf(field),
      })),
  );
}

function describe(owner: Owner): string {
  return owner.subresource === undefined ? '' : ` with subresource "${owner.subresource}"`;
}

/** Whether the set has the path, something below it, or something above it (a leaf that becomes an object). */
function overlaps(fields: FieldSet, path: readonly string[]): boolean {
  if (touches(fields, path)) return true;
  return path.some((_, length) => length > 0 && fields.has(JSON.stringify(path.slice(0, length))));
}

function without(owner: Owner, contested: readonly string[]): Owner {
  const paths = contested.map(pathOf);
  const taken = (field: string) => paths.some((path) => overlaps(new Set([field]), path));
  const fields = new Set([...owner.fields].filter((field) => !taken(field)));
  return fields.size === owner.fields.size ? owner : { ...owner, fields };
}

/** Takes away what the author owned and no longer wants, with the objects that nobody owns anything in any more. */
function removeAbandoned(object: JsonObject, previous: FieldSet, wanted: FieldSet, others: readonly Owner[]): void {
  const stillOwned = (path: readonly string[]) =>
    touches(wanted, path) || others.some((owner) => touches(owner.fields, path));
  for (const field of previous) {
    const path = pathOf(field);
    if (stillOwned(path)) continue;
    deleteAt(object, path);
    // What remains in an abandoned part of the spec are defaults the server has filled in: they go with it.
    for (let length = path.length - 1; length > 1; length--) {
      const parent = path.slice(0, length);
      if (stillOwned(parent) || !isObject(valueAt(object, parent))) break;
      if (parent[0] !== 'spec' && Object.keys(valueAt(object, parent) ?? {}).length > 0) break;
      deleteAt(object, parent);
    }
  }
}
