import { createHash } from 'node:crypto';
import { API_GROUP } from '../../core/records/metadata';
import type { JsonObject } from './json';
import { BERTH_RESOURCES, CORE_RESOURCES, isRecordResource, type Resource } from './resources';
import { partSchemas, type Schema } from './schemas';
import { TEXTS } from './texts';
import { apiVersionOf } from './wire';

const META = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta';
const LIST_META = 'io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta';

/** One OpenAPI v3 document, and the hash that its URL carries. */
interface Document {
  readonly path: string;
  readonly hash: string;
  readonly body: Buffer;
}

/** The OpenAPI v3 documents, made from the schemas of the records when they are first asked for. */
export class OpenApi {
  private documents: ReadonlyMap<string, Document> | undefined;

  constructor(private readonly version: string) {}

  /** The index at `/openapi/v3`: small, and asked for often. */
  index(): JsonObject {
    const paths = [...this.all().values()].map(({ path, hash }) => [
      path,
      { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` },
    ]);
    return { paths: Object.fromEntries(paths) };
  }

  /** @param path `apis/apps.berth.dev/v1` or `api/v1` */
  document(path: string): Buffer | undefined {
    return this.all().get(path)?.body;
  }

  private all(): ReadonlyMap<string, Document> {
    this.documents ??= new Map(
      [
        documentOf(`apis/${API_GROUP}/v1`, BERTH_RESOURCES, this.version),
        documentOf('api/v1', CORE_RESOURCES, this.version),
      ].map((document) => [document.path, document]),
    );
    return this.documents;
  }
}

function documentOf(path: string, resources: readonly Resource[], version: string): Document {
  const schemas: JsonObject = { [META]: objectMeta(), [LIST_META]: listMeta() };
  const paths: JsonObject = {};
  for (const resource of resources) {
    schemas[schemaName(resource)] = kindSchema(resource);
    schemas[`${schemaName(resource)}List`] = listSchema(resource);
    Object.assign(paths, pathsOf(resource, path));
  }
  const info = { title: 'Berth', version };
  const body = Buffer.from(JSON.stringify({ openapi: '3.0.0', info, paths, components: { schemas } }));
  return { path, body, hash: createHash('sha256').update(body).digest('hex').slice(0, 32).toUpperCase() };
}

function schemaName({ group, kind }: Resource): string {
  return group === '' ? `io.k8s.api.core.v1.${kind}` : `dev.berth.apps.v1.${kind}`;
}

function gvk({ group, kind }: Resource): { group: string; version: string; kind: string } {
  return { group, version: 'v1', kind };
}

function reference(name: string): Schema {
  return { $ref: `#/components/schemas/${name}` };
}

function kindSchema(resource: Resource): Schema {
  const parts = isRecordResource(resource) ? partSchemas(resource.record) : { spec: { type: 'object' } };
  return {
    type: 'object',
    description: TEXTS[resource.kind] ?? '',
    properties: {
      apiVersion: { type: 'string', description: `Group and version of the kind: ${apiVersionOf(resource.group)}.` },
      kind: { type: 'string', description: `The kind: ${resource.kind}.` },
      metadata: {
        description: 'Name, namespace, labels, annotations and what the server keeps.',
        allOf: [reference(META)],
      },
      ...parts,
    },
    'x-kubernetes-group-version-kind': [gvk(resource)],
  };
}

function listSchema(resource: Resource): Schema {
  return {
    type: 'object',
    description: `A list of objects of kind ${resource.kind}.`,
    properties: {
      apiVersion: { type: 'string' },
      kind: { type: 'string' },
      metadata: { allOf: [reference(LIST_META)] },
      items: { type: 'array', items: reference(schemaName(resource)) },
    },
    required: ['items'],
    'x-kubernetes-group-version-kind': [{ ...gvk(resource), kind: `${resource.kind}List` }],
  };
}

const text = (description: string): Schema => ({ type: 'string', description });
const texts = (description: string): Schema => ({
  type: 'object',
  additionalProperties: { type: 'string' },
  description,
});

function objectMeta(): Schema {
  return {
    type: 'object',
    description: 'ObjectMeta is what all objects have.',
    properties: {
      name: text('Name, unique within kind and namespace.'),
      generateName: text('Beginning of a name that the server completes.'),
      namespace: text('Group of the app, with _ for /; default for apps at the top.'),
      labels: texts('Labels, to select by.'),
      annotations: texts(
        'Annotations, for people and tools. berth.dev/force: "true" in a write replaces a running rollout.',
      ),
      finalizers: {
        type: 'array',
        items: { type: 'string' },
        description: 'What must be done before the object can go.',
      },
      uid: text('Tells the object from its namesakes. Set by the server.'),
      resourceVersion: text('Version of the stored object; a write that names one fails if it is not the newest.'),
      generation: {
        type: 'integer',
        format: 'int64',
        description: 'Rises with each change of spec. Set by the server.',
      },
      creationTimestamp: text('When it was made. Set by the server.'),
      deletionTimestamp: text('When its deletion was asked for. Set by the server.'),
      managedFields: {
        type: 'array',
        items: { type: 'object' },
        description: 'Who owns which fields (server-side apply).',
      },
    },
  };
}

function listMeta(): Schema {
  return {
    type: 'object',
    properties: {
      resourceVersion: { type: 'string' },
      continue: { type: 'string' },
      remainingItemCount: { type: 'integer' },
    },
  };
}

const ACTIONS = { get: 'get', put: 'update', patch: 'patch', delete: 'delete' } as const;
const PATCH_TYPES = ['application/merge-patch+json', 'application/json-patch+json', 'application/apply-patch+yaml'];

function pathsOf(resource: Resource, root: string): JsonObject {
  const base = `/${root}/${resource.namespaced ? 'namespaces/{namespace}/' : ''}${resource.plural}`;
  const result: JsonObject = { [base]: collectionPath(resource), [`${base}/{name}`]: objectPath(resource) };
  if (resource.namespaced) result[`/${root}/${resource.plural}`] = { get: operation(resource, 'list') };
  return result;
}

function collectionPath(resource: Resource): JsonObject {
  return {
    get: operation(resource, 'list'),
    ...(resource.verbs.includes('create') ? { post: operation(resource, 'post') } : {}),
    parameters: nameParameters(resource, false),
  };
}

function objectPath(resource: Resource): JsonObject {
  // kubectl leaves validation to the server only when PATCH is described, also for kinds that can be made but not patched.
  const described = resource.verbs.includes('create') ? [...resource.verbs, 'patch'] : resource.verbs;
  const verbs = Object.entries(ACTIONS).filter(([, verb]) => described.includes(verb));
  return {
    ...Object.fromEntries(verbs.map(([method]) => [method, operation(resource, method)])),
    parameters: nameParameters(resource, true),
  };
}

function nameParameters(resource: Resource, named: boolean): JsonObject[] {
  const names = [...(resource.namespaced ? ['namespace'] : []), ...(named ? ['name'] : [])];
  return names.map((name) => ({ name, in: 'path', required: true, schema: { type: 'string' } }));
}

function operation(resource: Resource, action: string): JsonObject {
  const schema = reference(schemaName(resource));
  const writes = ['post', 'put', 'patch'].includes(action);
  const types = action === 'patch' ? PATCH_TYPES : ['application/json'];
  return {
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': gvk(resource),
    // kubectl leaves validation to the server when PATCH knows fieldValidation.
    parameters: (writes ? ['dryRun', 'fieldManager', 'fieldValidation', 'force'] : []).map((name) => ({
      name,
      in: 'query',
      schema: { type: name === 'force' ? 'boolean' : 'string' },
    })),
    ...(writes ? { requestBody: { content: Object.fromEntries(types.map((type) => [type, { schema }])) } } : {}),
    responses: {
      200: {
        description: 'OK',
        content: {
          'application/json': { schema: action === 'list' ? reference(`${schemaName(resource)}List`) : schema },
        },
      },
    },
  };
}
