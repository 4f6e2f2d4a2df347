import { API_GROUP } from '../../core/records/metadata';
import { KINDS, type Kind } from '../../core/records/records';
import {
  appName,
  appPathOf,
  appVersionName,
  appVersionPathOf,
  eventName,
  groupName,
  groupPathOf,
  instanceName,
  type ObjectName,
  roleName,
  rolePathOf,
} from './names';

export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'deletecollection';

/** One kind as kubectl meets it: what discovery says, and how names become record paths. */
export interface Resource {
  /** '' is the core group. */
  readonly group: string;
  readonly kind: string;
  readonly plural: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly namespaced: boolean;
  readonly verbs: readonly Verb[];
  readonly subresources: readonly ('status' | 'scale')[];
  /** Says, in a refusal, who writes this kind or how to get what the user wants. */
  readonly readOnlyBecause?: string;
}

/** A resource that shows records of one kind. */
export interface RecordResource<K extends Kind = Kind> extends Resource {
  readonly record: K;
  readonly nameOf: (path: string) => ObjectName;
  /** undefined: the name alone does not tell the path (look it up) or nothing can have this name. */
  readonly pathOf: (name: ObjectName) => string | undefined;
}

const READ: readonly Verb[] = ['get', 'list', 'watch'];
const READ_DELETE: readonly Verb[] = [...READ, 'delete', 'deletecollection'];
const ALL: readonly Verb[] = [...READ_DELETE, 'create', 'update', 'patch'];

const plainName = (path: string): ObjectName => ({ name: path });
const plainPath = ({ name }: ObjectName): string => name;

type Extras<K extends Kind> = Pick<RecordResource<K>, 'verbs' | 'nameOf' | 'pathOf'> &
  Partial<Pick<Resource, 'shortNames' | 'categories' | 'subresources' | 'readOnlyBecause'>>;

function recordResource<K extends Kind>(record: K, extras: Extras<K>): RecordResource<K> {
  const { plural, namespaced } = KINDS[record];
  return {
    record,
    group: API_GROUP,
    kind: record,
    plural,
    singular: record.toLowerCase(),
    namespaced,
    shortNames: [],
    categories: [],
    subresources: [],
    ...extras,
  };
}

const event = recordResource('Event', {
  verbs: [...READ_DELETE, 'create'],
  nameOf: eventName,
  pathOf: ({ namespace, name }) => `${namespace ?? 'default'}/${name}`,
  readOnlyBecause: 'events are facts; they can be made and deleted, not changed',
});

/** Everything of our own group. */
export const BERTH_RESOURCES: readonly RecordResource[] = [
  recordResource('App', {
    verbs: ALL,
    nameOf: appName,
    pathOf: appPathOf,
    categories: ['all'],
    subresources: ['status', 'scale'],
  }),
  recordResource('AppVersion', {
    verbs: READ,
    nameOf: appVersionName,
    pathOf: appVersionPathOf,
    shortNames: ['av'],
    readOnlyBecause: 'app versions are the history of an app; change the app instead',
  }),
  recordResource('Group', { verbs: ALL, nameOf: groupName, pathOf: groupPathOf, shortNames: ['grp'] }),
  recordResource('Rollout', {
    verbs: READ_DELETE,
    nameOf: plainName,
    pathOf: plainPath,
    shortNames: ['ro'],
    categories: ['all'],
    subresources: ['status'],
    readOnlyBecause: 'a rollout follows from a change of apps; delete it to roll back, or change the app',
  }),
  recordResource('Instance', {
    verbs: READ_DELETE,
    nameOf: instanceName,
    pathOf: () => undefined,
    shortNames: ['inst'],
    categories: ['all'],
    subresources: ['status'],
    readOnlyBecause: 'the orchestrator writes instances; delete one to have it replaced, or scale the app',
  }),
  recordResource('Task', {
    verbs: READ_DELETE,
    nameOf: (path) => ({ name: path.slice(path.lastIndexOf('/') + 1) }),
    pathOf: () => undefined,
    subresources: ['status'],
    readOnlyBecause: 'the master writes tasks; delete one to kill it',
  }),
  recordResource('Agent', {
    verbs: [...READ, 'update', 'patch', 'delete'],
    nameOf: plainName,
    pathOf: plainPath,
    shortNames: ['ag'],
    subresources: ['status'],
    readOnlyBecause:
      'agents register by themselves; spec.unschedulable, labels and annotations are yours, and the deletion of those that will not come back',
  }),
  recordResource('Framework', {
    verbs: READ,
    nameOf: plainName,
    pathOf: plainPath,
    shortNames: ['fw'],
    subresources: ['status'],
    readOnlyBecause: 'frameworks register and tear down themselves through the Mesos API',
  }),
  recordResource('Role', { verbs: ALL, nameOf: roleName, pathOf: rolePathOf }),
  { ...event, shortNames: ['bev'] },
];

/** The same event records in the form that `kubectl get events` and `describe` know. */
export const CORE_EVENTS: RecordResource<'Event'> = { ...event, group: '', shortNames: ['ev'] };

/** Namespaces are not stored: they follow from the groups that have apps, events or records. */
export const NAMESPACES: Resource = {
  group: '',
  kind: 'Namespace',
  plural: 'namespaces',
  singular: 'namespace',
  shortNames: ['ns'],
  categories: [],
  namespaced: false,
  verbs: READ,
  subresources: [],
  readOnlyBecause: 'a namespace is a group of apps: it comes with its first app and goes with its last',
};

export const CORE_RESOURCES: readonly Resource[] = [CORE_EVENTS, NAMESPACES];

export const ALL_RESOURCES: readonly Resource[] = [...CORE_RESOURCES, ...BERTH_RESOURCES];

export function isRecordResource(resource: Resource): resource is RecordResource {
  return 'record' in resource;
}

/** The resource of a URL, or undefined. */
export function resourceOf(group: string, plural: string): Resource | undefined {
  return ALL_RESOURCES.find((resource) => resource.group === group && resource.plural === plural);
}
