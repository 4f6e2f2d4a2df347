import { copyObject, isObject, type JsonObject, omit, plainText, sameJson } from './json';
import type { ObjectName } from './names';
import type { Resource } from './resources';
import type { Schema } from './schemas';
import type { Item } from './source';
import { badRequest, conflict, invalid, staleVersion, type StatusCause, type Subject } from './status';
import { fieldText, prune, unknownFields } from './unknown-fields';
import { apiVersionOf, type WireObject } from './wire';

export type FieldValidation = 'Strict' | 'Warn' | 'Ignore';

/** An object as a user wants it, checked as far as all kinds are alike. */
export interface Draft {
  readonly object: WireObject;
  /** The annotation berth.dev/force was on the write; it is never stored. */
  readonly force: boolean;
  readonly warnings: readonly string[];
}

/** On a write: replaces a running rollout of the app instead of being refused. */
export const FORCE_ANNOTATION = 'berth.dev/force';

export function subjectOf(resource: Resource, name?: string, uid?: unknown): Subject {
  const { group, plural, kind } = resource;
  return { group, plural, kind, ...(name === undefined ? {} : { name }), ...(typeof uid === 'string' ? { uid } : {}) };
}

/** Takes berth.dev/force out of an object; true if it was set. Changes `object`. */
export function takeForce(object: JsonObject): boolean {
  const { metadata } = object;
  if (!isObject(metadata) || !isObject(metadata['annotations'])) return false;
  const { [FORCE_ANNOTATION]: value, ...annotations } = metadata['annotations'];
  if (value === undefined) return false;
  object['metadata'] = { ...metadata, annotations };
  return value === 'true';
}

/**
 * Checks what a user sent (or what a patch made of the live object): type, name, version, unknown fields, labels. Puts
 * back what only the server sets. Throws 400, 409, 422.
 */
export function draftOf(
  raw: JsonObject,
  resource: Resource,
  parts: Readonly<Record<string, Schema>>,
  name: ObjectName,
  live: Item | undefined,
  validation: FieldValidation,
): Draft {
  const object = copyObject(raw);
  checkType(object, resource);
  const metadata = isObject(object['metadata']) ? object['metadata'] : {};
  object['metadata'] = metadata;
  const subject = subjectOf(resource, name.name, live?.object.metadata['uid']);
  checkIdentity(metadata, name, resource, live, subject);
  const warnings = unknownFieldWarnings(object, resource, parts, live, validation);
  const force = takeForce(object);
  const checked = checkedMetadata(isObject(object['metadata']) ? object['metadata'] : {}, subject);
  checkFinalizers(checked, live, subject);
  const status = live?.object['status'];
  delete object['status'];
  return {
    object: {
      ...object,
      apiVersion: apiVersionOf(resource.group),
      kind: resource.kind,
      metadata: { ...serverMetadata(live), ...name, ...checked },
      ...(status === undefined ? {} : { status }),
    },
    force,
    warnings,
  };
}

function checkType(object: JsonObject, resource: Resource): void {
  const apiVersion = apiVersionOf(resource.group);
  if (object['apiVersion'] === undefined || object['kind'] === undefined)
    throw badRequest(`Object 'Kind' or 'apiVersion' is missing: this path takes ${apiVersion}, Kind=${resource.kind}`);
  if (object['apiVersion'] !== apiVersion || object['kind'] !== resource.kind)
    throw badRequest(
      `${plainText(object['apiVersion'])}, Kind=${plainText(object['kind'])} cannot be handled as a ${resource.kind} of ${apiVersion}`,
    );
}

function checkIdentity(
  metadata: JsonObject,
  name: ObjectName,
  resource: Resource,
  live: Item | undefined,
  subject: Subject,
): void {
  if (metadata['name'] !== undefined && metadata['name'] !== name.name)
    throw badRequest(
      `the name of the object (${plainText(metadata['name'])}) does not match the name on the URL (${name.name})`,
    );
  checkNamespace(metadata, name.namespace, resource);
  const { uid, resourceVersion } = metadata;
  if (typeof uid === 'string' && uid !== '' && live !== undefined && uid !== live.object.metadata['uid'])
    throw conflict(
      subject,
      `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${String(live.object.metadata['uid'])}`,
    );
  if (resourceVersion === undefined || resourceVersion === '' || resourceVersion === '0') return;
  if (live === undefined) throw badRequest('resourceVersion should not be set on objects to be created');
  if (resourceVersion !== String(live.revision)) throw staleVersion(subject);
}

/** The namespace in the object must be that of the URL. */
export function checkNamespace(metadata: JsonObject, namespace: string | undefined, resource: Resource): void {
  const given = metadata['namespace'];
  if (given === undefined || given === '' || given === namespace) return;
  if (!resource.namespaced) return;
  throw badRequest(
    `the namespace of the provided object does not match the namespace sent on the request (${plainText(given)}, ${namespace ?? ''})`,
  );
}

function unknownFieldWarnings(
  object: JsonObject,
  resource: Resource,
  parts: Readonly<Record<string, Schema>>,
  live: Item | undefined,
  validation: FieldValidation,
): string[] {
  const unknown = unknownFields(object, parts, live?.object);
  if (unknown.length === 0) return [];
  const texts = unknown.map((path) => `unknown field "${fieldText(path)}"`);
  if (validation === 'Strict')
    throw badRequest(
      `${resource.kind} in version "v1" cannot be handled as a ${resource.kind}: strict decoding error: ${texts.join(', ')}`,
    );
  prune(object, unknown);
  return validation === 'Warn' ? texts : [];
}

/** Kubernetes: once the deletion has begun nobody can hold it up further. */
function checkFinalizers({ finalizers }: JsonObject, live: Item | undefined, subject: Subject): void {
  if (live?.object.metadata['deletionTimestamp'] === undefined || !Array.isArray(finalizers)) return;
  const before = live.object.metadata['finalizers'];
  const added = finalizers.filter((entry) => !Array.isArray(before) || !before.includes(entry));
  if (added.length === 0) return;
  const message = `Forbidden: the object is being deleted, so that no finalizers can be added: ${added.join(', ')}`;
  throw invalid(subject, [{ reason: 'FieldValueForbidden', message, field: 'metadata.finalizers' }]);
}

/** The metadata that is not the user's to set. */
function serverMetadata(live: Item | undefined): JsonObject {
  if (live === undefined) return {};
  return omit(live.object.metadata, 'labels', 'annotations', 'finalizers', 'managedFields');
}

const LABEL_KEY = /^(?:[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?\/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const LABEL_VALUE = /^(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;
/** Bytes of all annotations together (Kubernetes: 256 KiB). */
const ANNOTATION_BYTES_MAX = 256 * 1024;

/** Labels, annotations, finalizers and managedFields, with what is empty left out. */
function checkedMetadata(metadata: JsonObject, subject: Subject): JsonObject {
  const { labels, annotations, finalizers, managedFields } = metadata;
  const causes = [
    ...textMapCauses(labels, 'metadata.labels', (value) => LABEL_VALUE.test(value), 'label value'),
    ...textMapCauses(annotations, 'metadata.annotations', () => true, 'annotation'),
    ...finalizerCauses(finalizers),
  ];
  const bytes = annotations === undefined ? 0 : Buffer.byteLength(JSON.stringify(annotations));
  if (bytes > ANNOTATION_BYTES_MAX)
    causes.push({
      reason: 'FieldValueTooLong',
      message: `Too long: may not be more than ${ANNOTATION_BYTES_MAX} bytes`,
      field: 'metadata.annotations',
    });
  if (causes.length > 0) throw invalid(subject, causes);
  return {
    ...(isEmpty(labels) ? {} : { labels }),
    ...(isEmpty(annotations) ? {} : { annotations }),
    ...(isEmpty(finalizers) ? {} : { finalizers: [...new Set(Array.isArray(finalizers) ? finalizers : [])] }),
    ...(Array.isArray(managedFields) ? { managedFields } : {}),
  };
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || (typeof value === 'object' && Object.keys(value).length === 0);
}

function textMapCauses(
  value: unknown,
  field: string,
  isValid: (value: string) => boolean,
  what: string,
): StatusCause[] {
  if (value === undefined || value === null) return [];
  if (!isObject(value)) return [{ reason: 'FieldValueTypeInvalid', message: 'must be a map of texts', field }];
  return Object.entries(value).flatMap(([key, entry]): StatusCause[] => {
    if (!LABEL_KEY.test(key))
      return [
        {
          reason: 'FieldValueInvalid',
          message: `Invalid value: ${JSON.stringify(key)}: name part must consist of alphanumeric characters, '-', '_' or '.'`,
          field,
        },
      ];
    if (typeof entry === 'string' && isValid(entry)) return [];
    return [
      { reason: 'FieldValueInvalid', message: `Invalid value: ${JSON.stringify(entry)}: not a valid ${what}`, field },
    ];
  });
}

function finalizerCauses(value: unknown): StatusCause[] {
  if (value === undefined || value === null) return [];
  const field = 'metadata.finalizers';
  if (!Array.isArray(value) || !value.every((entry) => typeof entry === 'string'))
    return [{ reason: 'FieldValueTypeInvalid', message: 'must be a list of texts', field }];
  return value
    .filter((entry) => !LABEL_KEY.test(entry))
    .map((entry) => ({
      reason: 'FieldValueInvalid',
      message: `Invalid value: ${JSON.stringify(entry)}: name is not qualified`,
      field,
    }));
}

/** Whether two objects say the same, apart from what the server keeps (version, generation, managedFields). */
export function sameContent(a: WireObject, b: WireObject): boolean {
  const strip = (object: WireObject): JsonObject => ({
    ...object,
    metadata: omit(object.metadata, 'resourceVersion', 'generation', 'managedFields'),
  });
  return sameJson(strip(a), strip(b));
}
