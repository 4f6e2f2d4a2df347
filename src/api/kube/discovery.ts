import { API_GROUP } from '../../core/records/metadata';
import type { JsonObject } from './json';
import { BERTH_RESOURCES, CORE_RESOURCES, type Resource } from './resources';
import { apiVersionOf } from './wire';

/** Media type of the aggregated form, in which one answer describes all groups. */
export const AGGREGATED = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';

/** Whether the client takes the aggregated form. */
export function wantsAggregated(accept: string | undefined): boolean {
  return (accept ?? '').split(',').some((entry) => {
    const parts = entry.split(';').map((part) => part.trim());
    return (
      parts.includes('g=apidiscovery.k8s.io') && parts.includes('v=v2') && parts.includes('as=APIGroupDiscoveryList')
    );
  });
}

const SCALE = { group: 'autoscaling', version: 'v1', kind: 'Scale' } as const;
const SUBRESOURCE_VERBS = { status: ['get'], scale: ['get', 'patch', 'update'] } as const;

/** `APIGroupDiscoveryList` for `/api` (core group) or `/apis` (all others). */
export function aggregated(core: boolean): JsonObject {
  const resources = core ? CORE_RESOURCES : BERTH_RESOURCES;
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: 'apidiscovery.k8s.io/v2',
    metadata: {},
    items: [
      {
        metadata: core ? {} : { name: API_GROUP },
        versions: [{ version: 'v1', freshness: 'Current', resources: resources.map(aggregatedResource) }],
      },
      ...(core ? [] : REVIEW_GROUPS.map(reviewEntry)),
    ],
  };
}

function aggregatedResource(resource: Resource): JsonObject {
  const { group, kind, plural, singular, shortNames, categories, namespaced, verbs, subresources } = resource;
  const responseKind = { group, version: 'v1', kind };
  return {
    resource: plural,
    responseKind,
    scope: namespaced ? 'Namespaced' : 'Cluster',
    singularResource: singular,
    verbs,
    shortNames,
    categories,
    subresources: subresources.map((subresource) => ({
      subresource,
      responseKind: subresource === 'scale' ? SCALE : responseKind,
      verbs: SUBRESOURCE_VERBS[subresource],
    })),
  };
}

/** Access reviews: what `kubectl auth` and user interfaces ask. */
export const REVIEWS = [
  { group: 'authorization.k8s.io', kind: 'SelfSubjectAccessReview', plural: 'selfsubjectaccessreviews' },
  { group: 'authorization.k8s.io', kind: 'SelfSubjectRulesReview', plural: 'selfsubjectrulesreviews' },
  { group: 'authentication.k8s.io', kind: 'SelfSubjectReview', plural: 'selfsubjectreviews' },
] as const;

const REVIEW_GROUPS = ['authorization.k8s.io', 'authentication.k8s.io'] as const;

function reviewEntry(group: string): JsonObject {
  return {
    metadata: { name: group },
    versions: [
      {
        version: 'v1',
        freshness: 'Current',
        resources: REVIEWS.filter((review) => review.group === group).map(({ kind, plural }) => ({
          resource: plural,
          responseKind: { group, version: 'v1', kind },
          scope: 'Cluster',
          singularResource: kind.toLowerCase(),
          verbs: ['create'],
        })),
      },
    ],
  };
}

/** Every group beside the core one. */
export const GROUPS: readonly string[] = [API_GROUP, ...REVIEW_GROUPS];

/** `APIVersions`, the old answer of `/api`. */
export function coreVersions(): JsonObject {
  return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] };
}

/** `APIGroup`, the answer of `/apis/<group>`; undefined: no such group. */
export function groupOf(group: string): JsonObject | undefined {
  if (!GROUPS.includes(group)) return undefined;
  const version = { groupVersion: `${group}/v1`, version: 'v1' };
  return { kind: 'APIGroup', apiVersion: 'v1', name: group, versions: [version], preferredVersion: version };
}

/** `APIGroupList`, the old answer of `/apis`. */
export function groupList(): JsonObject {
  return { kind: 'APIGroupList', apiVersion: 'v1', groups: GROUPS.map(groupOf) };
}

/** `APIResourceList`, the answer of `/api/v1` and `/apis/<group>/v1`; undefined: no such group. */
export function resourceList(group: string): JsonObject | undefined {
  if (group !== '' && !GROUPS.includes(group)) return undefined;
  const resources = group === '' ? CORE_RESOURCES : group === API_GROUP ? BERTH_RESOURCES : [];
  const reviews = REVIEWS.filter((review) => review.group === group).map(({ kind, plural }) => ({
    name: plural,
    singularName: kind.toLowerCase(),
    namespaced: false,
    kind,
    verbs: ['create'],
  }));
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: apiVersionOf(group),
    resources: [...resources.flatMap(legacyEntries), ...reviews],
  };
}

function legacyEntries(resource: Resource): JsonObject[] {
  const { plural, singular, namespaced, kind, verbs, shortNames, categories, subresources } = resource;
  return [
    {
      name: plural,
      singularName: singular,
      namespaced,
      kind,
      verbs,
      ...(shortNames.length === 0 ? {} : { shortNames }),
      ...(categories.length === 0 ? {} : { categories }),
    },
    ...subresources.map((subresource) => ({
      name: `${plural}/${subresource}`,
      singularName: '',
      namespaced,
      ...(subresource === 'scale' ? SCALE : { kind }),
      verbs: SUBRESOURCE_VERBS[subresource],
    })),
  ];
}
