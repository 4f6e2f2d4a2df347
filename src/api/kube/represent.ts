import { cellsOf, type CellContext, columnsOf } from './columns';
import type { JsonObject } from './json';
import type { Item } from './source';

/** How a client wants to see objects (Accept header). */
export type Representation =
  | { readonly as: 'object' }
  | { readonly as: 'partial' }
  | { readonly as: 'table'; readonly include: 'None' | 'Metadata' | 'Object' };

/**
 * The first acceptable form in the Accept header. `as=Table` and `as=PartialObjectMetadata(List)` in `meta.k8s.io/v1`, else
 * plain JSON. undefined: nothing we can send.
 */
export function negotiate(accept: string | undefined, includeObject: string | undefined): Representation | undefined {
  if (accept === undefined || accept.trim() === '') return { as: 'object' };
  for (const entry of accept.split(',')) {
    const [type = '', ...parameters] = entry.split(';').map((part) => part.trim());
    if (!['application/json', 'application/*', '*/*'].includes(type)) continue;
    const options = new Map(parameters.map((parameter) => [parameter.split('=')[0], parameter.split('=')[1]]));
    const as = options.get('as');
    if (as === undefined) return { as: 'object' };
    if (options.get('g') !== 'meta.k8s.io' || options.get('v') !== 'v1') continue;
    if (as === 'Table') return { as: 'table', include: includeOf(includeObject) };
    if (as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList') return { as: 'partial' };
  }
  return undefined;
}

function includeOf(text: string | undefined): 'None' | 'Metadata' | 'Object' {
  return text === 'None' || text === 'Object' ? text : 'Metadata';
}

const META = 'meta.k8s.io/v1';

function partial(item: Item): JsonObject {
  return { kind: 'PartialObjectMetadata', apiVersion: META, metadata: item.object.metadata };
}

/** A Table of these items. @param withColumns false: for the later events of a watch, which repeat no columns */
export function tableOf(
  kind: string,
  items: readonly Item[],
  metadata: JsonObject,
  include: 'None' | 'Metadata' | 'Object',
  context: CellContext,
  withColumns = true,
): JsonObject {
  const columns = columnsOf(kind);
  return {
    kind: 'Table',
    apiVersion: META,
    metadata,
    columnDefinitions: withColumns
      ? columns.map(({ name, type, description, priority }) => ({
          name,
          type,
          format: name === 'Name' ? 'name' : '',
          description,
          priority,
        }))
      : null,
    rows: items.map((item) => ({
      cells: cellsOf(columns, item, context),
      ...(include === 'None' ? {} : { object: include === 'Object' ? item.object : partial(item) }),
    })),
  };
}

/** One object in the wanted form. */
export function representOne(item: Item, form: Representation, kind: string, context: CellContext): JsonObject {
  switch (form.as) {
    case 'object':
      return item.object;
    case 'partial':
      return partial(item);
    case 'table': {
      const metadata = { resourceVersion: String(item.revision) };
      return tableOf(kind, [item], metadata, form.include, context);
    }
  }
}

/** A list in the wanted form. */
export function representList(
  items: readonly Item[],
  metadata: JsonObject,
  form: Representation,
  type: { readonly apiVersion: string; readonly kind: string },
  context: CellContext,
): JsonObject {
  switch (form.as) {
    case 'object':
      return {
        apiVersion: type.apiVersion,
        kind: `${type.kind}List`,
        metadata,
        items: items.map((item) => item.object),
      };
    case 'partial':
      return { apiVersion: META, kind: 'PartialObjectMetadataList', metadata, items: items.map(partial) };
    case 'table':
      return tableOf(type.kind, items, metadata, form.include, context);
  }
}
