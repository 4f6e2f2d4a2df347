import type { App } from '../../core/records/app';
import type { Clock } from '../../core/ports/clock';
import type { IdSource } from '../../core/ports/ids';
import type { Records } from '../../core/ports/records';
import type { Answer } from './answer';
import { serverSideApply } from './apply';
import { mediaTypeOf, readObject, readValue } from './body';
import { authorOf, type Call, checkVerb, dryRunOf, metadataOf, subjectOfCall, validationOf } from './call';
import { checkNamespace, subjectOf, takeForce } from './draft';
import { copyObject, isObject, type JsonObject, omit } from './json';
import { type Author, ownersOf } from './managed-fields';
import type { ObjectName } from './names';
import { jsonPatch, mergePatch } from './patch';
import { flagOf } from './query';
import { representOne } from './represent';
import { isRecordResource, type RecordResource } from './resources';
import { scaleOf, withScale } from './scale';
import { badRequest, invalidField, KubeError, methodNotAllowed, notFound, unsupportedMediaType } from './status';
import { nameOf } from './target';
import type { WireObject } from './wire';
import type { Change, WriteRequest, Written } from './writer';

/** Characters that make a generated name unique (Kubernetes: 5). */
const GENERATED_SUFFIX = 5;

const MERGE = 'application/merge-patch+json';
const JSON_PATCH = 'application/json-patch+json';
const APPLY = 'application/apply-patch+yaml';
const STRATEGIC = 'application/strategic-merge-patch+json';

/** POST, PUT and PATCH. */
export class Writes {
  constructor(
    private readonly records: Records,
    private readonly clock: Clock,
    private readonly ids: IdSource,
  ) {}

  async create(call: Call): Promise<Answer> {
    const { resource } = call.target;
    checkVerb(resource, 'create');
    if (call.target.name !== undefined) throw methodNotAllowed('POST goes to the collection');
    const body = await readObject(call.request);
    const name = this.nameOfNew(call, body);
    const metadata = { ...omit(metadataOf(body), 'generateName'), name: name.name };
    return this.write(call, name, 'create', () => ({ object: { ...body, metadata } }));
  }

  async replace(call: Call): Promise<Answer> {
    checkVerb(call.target.resource, 'update');
    const name = namedTarget(call);
    const body = await readObject(call.request);
    if (call.target.subresource === 'scale') return this.scale(call, () => body);
    return this.write(call, name, 'update', () => ({ object: body }));
  }

  async patch(call: Call): Promise<Answer> {
    checkVerb(call.target.resource, 'patch');
    const name = namedTarget(call);
    const patch = await this.patchOf(call);
    if (call.target.subresource === 'scale') return this.scale(call, patch.onObject);
    if (patch.config !== undefined) return this.apply(call, name, patch.config);
    return this.write(call, name, 'update', (live) => ({ object: patch.onObject(live ?? {}) }));
  }

  /** Reads the patch; checks what does not need the object. */
  private async patchOf({
    request,
  }: Call): Promise<{ onObject: (live: JsonObject) => JsonObject; config?: JsonObject }> {
    const type = mediaTypeOf(request);
    if (type === STRATEGIC)
      throw unsupportedMediaType(
        `the body of the request was in an unknown format - accepted media types include: ${JSON_PATCH}, ${MERGE}, ${APPLY}`,
      );
    if (![MERGE, JSON_PATCH, APPLY].includes(type))
      throw unsupportedMediaType(
        `${type === '' ? 'a patch without type' : type} is not supported: send ${MERGE}, ${JSON_PATCH} or ${APPLY}`,
      );
    const body = await readValue(request);
    if (type === JSON_PATCH) return { onObject: (live) => jsonPatch(live, body) };
    if (!isObject(body)) throw badRequest('the patch must be an object');
    return { onObject: (live) => mergePatch(live, body), ...(type === APPLY ? { config: body } : {}) };
  }

  private async apply(call: Call, name: ObjectName, body: JsonObject): Promise<Answer> {
    const author = this.applyAuthor(call);
    const forced = flagOf(call.query, 'force');
    const config = copyObject(body);
    if (isObject(config['metadata']) && config['metadata']['managedFields'] !== undefined)
      throw badRequest('metadata.managedFields must be nil');
    const force = takeForce(config);
    const change = (live: WireObject | undefined): Change => {
      const owners = ownersOf(live?.metadata['managedFields']);
      const applied = serverSideApply(live, owners, config, author, forced);
      if (applied.conflicts.length > 0) throw applyConflict(call, applied.conflicts);
      return { object: applyIdentity(applied.object, config), owners: applied.owners, force };
    };
    return this.write(call, name, 'apply', change);
  }

  private applyAuthor(call: Call): Author {
    if ((call.query.get('fieldManager') ?? '') === '')
      throw badRequest(
        'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
      );
    return authorOf(call, this.clock);
  }

  private async write(
    call: Call,
    name: ObjectName,
    mode: WriteRequest['mode'],
    change: WriteRequest['change'],
  ): Promise<Answer> {
    const written = await this.run(call, name, mode, change);
    return this.answer(call, name, written);
  }

  private async run(
    call: Call,
    name: ObjectName,
    mode: WriteRequest['mode'],
    change: WriteRequest['change'],
  ): Promise<Written> {
    const { writer } = call.served;
    if (writer === undefined) throw methodNotAllowed(`${call.target.resource.kind} cannot be written`);
    checkName(call, name);
    return writer.write({
      name,
      mode,
      change,
      author: authorOf(call, this.clock),
      validation: validationOf(call.query),
      dryRun: dryRunOf(call.query),
    });
  }

  private answer({ served, target, form }: Call, name: ObjectName, { object, created, warnings }: Written): Answer {
    const revision = Number(object.metadata['resourceVersion'] ?? 0);
    const context = { records: this.records, nowMs: this.clock.nowMs() };
    const stored = served.source.get(name)?.stored;
    const item = { path: name.name, name, revision, object, ...(stored === undefined ? {} : { stored }) };
    return { code: created ? 201 : 200, body: representOne(item, form, target.resource.kind, context), warnings };
  }

  /** @param newScale the Scale as wanted, from the Scale as it is */
  private async scale(call: Call, newScale: (scale: JsonObject) => JsonObject): Promise<Answer> {
    const { resource } = call.target;
    if (!isRecordResource(resource)) throw notFound(subjectOfCall(call));
    const name = nameOf(call.target);
    const change = (live: WireObject | undefined): Change => {
      const record = this.appAt(resource, call, name);
      if (live === undefined || record === undefined) throw notFound(subjectOfCall(call));
      return { object: withScale(live, newScale(scaleOf(live, record, this.records)), resource) };
    };
    const { object, warnings } = await this.run(call, name, 'update', change);
    const record = this.appAt(resource, call, name);
    if (record === undefined) throw notFound(subjectOfCall(call));
    const spec = isObject(object['spec']) ? object['spec'] : {};
    const shown = { ...record, spec: { ...record.spec, instances: Number(spec['instances'] ?? 0) } };
    return { code: 200, body: scaleOf(object, shown, this.records), warnings };
  }

  private appAt(resource: RecordResource, call: Call, name: ObjectName): App | undefined {
    const record = call.served.source.get(name)?.stored?.record;
    return resource.record === 'App' && record?.kind === 'App' ? record : undefined;
  }

  private nameOfNew({ target }: Call, body: JsonObject): ObjectName {
    const metadata = metadataOf(body);
    const { name, generateName } = metadata;
    checkNamespace(metadata, target.namespace, target.resource);
    if (target.resource.namespaced && target.namespace === undefined)
      throw badRequest('an empty namespace may not be set during creation');
    const given = typeof name === 'string' && name !== '' ? name : this.generated(generateName);
    if (given === undefined)
      throw invalidField(
        subjectOf(target.resource),
        'metadata.name',
        'Required value: name or generateName is required',
      );
    return target.namespace === undefined ? { name: given } : { namespace: target.namespace, name: given };
  }

  private generated(prefix: unknown): string | undefined {
    if (typeof prefix !== 'string' || prefix === '') return undefined;
    return prefix + this.ids.uuid().replaceAll('-', '').slice(-GENERATED_SUFFIX);
  }
}

function namedTarget(call: Call): ObjectName {
  if (call.target.name === undefined) throw methodNotAllowed('a name is needed in the URL');
  if (call.target.subresource === 'status')
    throw methodNotAllowed(`the control plane alone writes the status of ${call.target.resource.plural}`);
  return nameOf(call.target);
}

/** A name that no object of the kind can have is refused with the reason, before anything else is said about the object. */
function checkName({ target: { resource } }: Call, name: ObjectName): void {
  if (!isRecordResource(resource) || resource.pathOf(name) !== undefined) return;
  throw invalidField(
    subjectOf(resource, name.name),
    'metadata.name',
    `Invalid value: ${JSON.stringify(name.name)}${name.namespace === undefined ? '' : ` in namespace ${JSON.stringify(name.namespace)}`}: ` +
      "names consist of lower case letters, digits, '-' and '.'; namespaces are such names joined by '_'",
  );
}

/** Server-side apply merges spec and metadata; what says which object it is comes from the configuration as sent. */
function applyIdentity(object: JsonObject, config: JsonObject): JsonObject {
  const sent = metadataOf(config);
  const { name, namespace, uid, resourceVersion } = sent;
  const unknown = Object.fromEntries(
    Object.entries(config).filter(([key]) => !['apiVersion', 'kind', 'metadata', 'spec', 'status'].includes(key)),
  );
  return {
    ...object,
    ...unknown,
    apiVersion: config['apiVersion'],
    kind: config['kind'],
    metadata: {
      ...metadataOf(object),
      ...(name === undefined ? {} : { name }),
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
    },
  };
}

function applyConflict(call: Call, causes: readonly { reason: string; message: string; field?: string }[]): KubeError {
  const lines = causes.map(({ message, field }) => `${message}: ${field ?? ''}`);
  const text = `Apply failed with ${causes.length} conflict${causes.length === 1 ? '' : 's'}: ${lines.join('\n')}`;
  const { name, group, plural } = subjectOfCall(call);
  return new KubeError(409, 'Conflict', text, { ...(name === undefined ? {} : { name }), group, kind: plural, causes });
}
