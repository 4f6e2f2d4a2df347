import { z } from 'zod';
import { KINDS, type Kind } from '../../core/records/records';
import { isObject, type JsonObject, omit } from './json';
import { TEXTS } from './texts';

/** A node of a schema in the dialect of OpenAPI 3.0. */
export type Schema = JsonObject;

/** Fields that the server fills in, so that users need not. */
const FILLED_IN: Readonly<Partial<Record<Kind, readonly string[]>>> = { App: ['id'], Group: ['id'], Role: ['name'] };

/** The parts of a kind beside apiVersion, kind and metadata, as schemas with descriptions. Pure; call once per kind. */
export function partSchemas(kind: Kind): Readonly<Record<string, Schema>> {
  const json: unknown = z.toJSONSchema(KINDS[kind].schema, { io: 'input', unrepresentable: 'any' });
  const properties = isObject(json) ? json['properties'] : undefined;
  if (!isObject(properties)) return {};
  return Object.fromEntries(
    Object.entries(properties)
      .filter(([key]) => key !== 'kind' && key !== 'metadata')
      .map(([key, part]) => {
        const schema = openApi(part, `${kind}.${key}`);
        if (key === 'spec' && Array.isArray(schema['required'])) {
          const required = schema['required'].filter((name) => FILLED_IN[kind]?.includes(String(name)) !== true);
          if (required.length === 0) delete schema['required'];
          else schema['required'] = required;
        }
        return [key, schema];
      }),
  );
}

/** JSON Schema (2020-12, as zod writes it) to OpenAPI 3.0. @param place key of the descriptions */
function openApi(source: unknown, place: string): Schema {
  if (!isObject(source)) return {};
  const result: Schema = {};
  const description = TEXTS[place] ?? TEXTS[place.replace(/^AppVersion\./, 'App.')];
  if (description !== undefined) result['description'] = description;
  for (const key of ['type', 'default', 'pattern', 'minLength', 'maxLength', 'minItems', 'maxItems', 'enum'])
    if (source[key] !== undefined) result[key] = source[key];
  if (source['const'] !== undefined) result['enum'] = [source['const']];
  bounds(source, result);
  // The text of a list is about the list; explain would print it twice.
  if (source['items'] !== undefined) result['items'] = orAnything(omit(openApi(source['items'], place), 'description'));
  children(source, result, place);
  alternatives(source, result, place);
  return orAnything(result);
}

/** A schema that says nothing takes anything; `kubectl explain` needs that in writing. */
function orAnything(schema: Schema): Schema {
  return Object.keys(schema).length === 0 ? { 'x-kubernetes-preserve-unknown-fields': true } : schema;
}

function bounds(source: JsonObject, result: Schema): void {
  const { minimum, maximum, exclusiveMinimum } = source;
  if (typeof minimum === 'number' && minimum !== Number.MIN_SAFE_INTEGER) result['minimum'] = minimum;
  if (typeof maximum === 'number' && maximum !== Number.MAX_SAFE_INTEGER) result['maximum'] = maximum;
  if (typeof exclusiveMinimum !== 'number') return;
  result['minimum'] = exclusiveMinimum;
  result['exclusiveMinimum'] = true;
}

function children(source: JsonObject, result: Schema, place: string): void {
  const { properties, additionalProperties, required } = source;
  if (isObject(properties) && Object.keys(properties).length > 0) {
    result['properties'] = Object.fromEntries(
      Object.entries(properties).map(([key, child]) => [key, openApi(child, `${place}.${key}`)]),
    );
    if (Array.isArray(required) && required.length > 0) result['required'] = required;
  } else if (isObject(additionalProperties) && Object.keys(additionalProperties).length > 0) {
    result['additionalProperties'] = openApi(additionalProperties, place);
  } else if (source['type'] === 'object') {
    result['x-kubernetes-preserve-unknown-fields'] = true;
  }
}

/**
 * Alternatives. `anyOf` stays, for validators; the fields of the object among them are shown beside it, because
 * `kubectl explain` looks at nothing else.
 */
function alternatives(source: JsonObject, result: Schema, place: string): void {
  const { anyOf } = source;
  if (!Array.isArray(anyOf)) return;
  const members = anyOf.filter((member) => isObject(member) && member['type'] !== 'null').map((m) => openApi(m, place));
  if (members.length < anyOf.length) result['nullable'] = true;
  const first = members[0];
  if (members.length === 1 && first !== undefined) {
    Object.assign(result, { ...first, ...result });
    return;
  }
  for (const member of members) delete member['description'];
  result['anyOf'] = members;
  const object = members.find((member) => member['properties'] !== undefined);
  if (object !== undefined) result['properties'] = object['properties'];
}
