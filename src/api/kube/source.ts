import { parseTaskId, instancePath } from '../../core/records/paths';
import type { Kind, RecordOf } from '../../core/records/records';
import type { RecordChange, Records, Stored } from '../../core/ports/records';
import { appName, type ObjectName } from './names';
import { CORE_EVENTS, NAMESPACES, type RecordResource, type Resource, isRecordResource } from './resources';
import { coreEvent, findStored, taskOf, type WireObject, wireOf, withTask } from './wire';

/** One object as it is read: its wire form, and where it came from. */
export interface Item {
  readonly path: string;
  readonly name: ObjectName;
  readonly revision: number;
  readonly object: WireObject;
  /** The record behind it; absent for what is not stored (namespaces). */
  readonly stored?: Stored<RecordOf[Kind]>;
}

/** `previous` absent: it appeared; `current` absent: it went. */
export interface ItemChange {
  readonly revision: number;
  readonly previous?: Item;
  readonly current?: Item;
}

export interface ItemPage {
  readonly items: readonly Item[];
  readonly revision: number;
  readonly more: boolean;
}

/** Where the objects of one resource come from. Reads are synchronous, from the mirror. */
export interface Source {
  readonly resource: Resource;
  get(name: ObjectName): Item | undefined;
  /** In order of path. */
  list(namespace?: string): Item[];
  changesSince(revision: number): readonly ItemChange[] | 'expired';
  /** The part of a batch of record changes that concerns this resource. */
  changesOf(changes: readonly RecordChange[]): readonly ItemChange[];
  /** One page at one revision, from the store; undefined: this resource has no pages (its lists are short). */
  page?(options: { readonly limit: number; readonly after?: string; readonly revision?: number }): Promise<ItemPage>;
}

export function sourceOf(resource: Resource, records: Records): Source {
  return isRecordResource(resource) ? new RecordSource(resource, records) : new NamespaceSource(records);
}

/** Objects that are records of one kind. */
export class RecordSource implements Source {
  constructor(
    readonly resource: RecordResource,
    private readonly records: Records,
  ) {}

  get(name: ObjectName): Item | undefined {
    const stored = findStored(this.records, this.resource, name);
    return stored === undefined ? undefined : this.item(stored);
  }

  list(namespace?: string): Item[] {
    const items: Item[] = [];
    for (const stored of this.records.collection(this.resource.record).list()) {
      if (namespace !== undefined && this.resource.nameOf(stored.path).namespace !== namespace) continue;
      items.push(this.item(stored));
    }
    return items.sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  async page(options: { limit: number; after?: string; revision?: number }): Promise<ItemPage> {
    const { items, revision, more } = await this.records.page(this.resource.record, options);
    return { items: items.map((stored) => this.item(stored)), revision, more };
  }

  changesSince(revision: number): readonly ItemChange[] | 'expired' {
    const own = this.records.changesSince(this.resource.record, revision);
    if (own === 'expired' || this.resource.record !== 'Instance') return own === 'expired' ? own : this.changesOf(own);
    const tasks = this.records.changesSince('Task', revision);
    if (tasks === 'expired') return tasks;
    return this.changesOf([...own, ...tasks].sort((a, b) => a.revision - b.revision));
  }

  changesOf(changes: readonly RecordChange[]): readonly ItemChange[] {
    return changes.flatMap((change) => {
      if (change.kind === this.resource.record) return [this.change(change)];
      return this.resource.record === 'Instance' && change.kind === 'Task' ? this.taskChange(change) : [];
    });
  }

  private change({ revision, previous, current }: RecordChange): ItemChange {
    return {
      revision,
      ...(previous === undefined ? {} : { previous: this.item(previous) }),
      ...(current === undefined ? {} : { current: this.item(current) }),
    };
  }

  /** An instance shows the state of its task, so that a change of the task is one of the instance. */
  private taskChange({ path, revision }: RecordChange): ItemChange[] {
    const task = parseTaskId(path.slice(path.lastIndexOf('/') + 1));
    if (task === undefined) return [];
    const stored = this.records.collection('Instance').get(instancePath(task.instanceId));
    if (stored === undefined || stored.record.spec.incarnation !== task.incarnation) return [];
    const current = this.item(stored, revision);
    return [{ revision, previous: current, current }];
  }

  private item(stored: Stored<RecordOf[Kind]>, changedAt = 0): Item {
    const { record, path } = stored;
    const name = this.resource.nameOf(path);
    // An instance shows its task: whichever changed last gives the version.
    const task = record.kind === 'Instance' ? taskOf(this.records, record) : undefined;
    const revision = Math.max(stored.revision, task?.revision ?? 0, changedAt);
    const object = this.completed(wireOf(this.resource, stored, name, revision), record);
    return { path, name, revision, stored, object };
  }

  private completed(object: WireObject, record: RecordOf[Kind]): WireObject {
    if (record.kind === 'Instance') return withTask(object, record, this.records);
    if (record.kind === 'Event' && this.resource.group === CORE_EVENTS.group)
      return coreEvent(object, record, this.records);
    return object;
  }
}

/** Namespaces: `default`, which has always been, and one for each group that has an app. */
export class NamespaceSource implements Source {
  readonly resource = NAMESPACES;

  constructor(private readonly records: Records) {}

  get({ name }: ObjectName): Item | undefined {
    return this.list().find((item) => item.path === name);
  }

  list(): Item[] {
    const since = new Map<string, string | null>([['default', null]]);
    for (const { path, record } of this.records.collection('App').list()) {
      const namespace = namespaceOf(path);
      const created = record.metadata.creationTimestamp;
      const known = since.get(namespace);
      if (known === undefined || (known !== null && created < known)) since.set(namespace, created);
    }
    return [...since].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, created]) => this.item(name, created));
  }

  /** History is not kept: a watch starts with what is. */
  changesSince(revision: number): readonly ItemChange[] | 'expired' {
    return revision >= this.records.revision() ? [] : 'expired';
  }

  changesOf(changes: readonly RecordChange[]): readonly ItemChange[] {
    const turned = changes.filter(
      (change) => change.kind === 'App' && (change.previous === undefined) !== (change.current === undefined),
    );
    if (turned.length === 0) return [];
    const fresh = new Set(turned.flatMap((change) => (change.previous === undefined ? [change.path] : [])));
    const before = new Set<string>(['default']);
    const now = new Set<string>(['default']);
    for (const { path } of this.records.collection('App').list()) {
      now.add(namespaceOf(path));
      if (!fresh.has(path)) before.add(namespaceOf(path));
    }
    const revisions = new Map(turned.map((change) => [namespaceOf(change.path), change]));
    return [...revisions].flatMap(([namespace, { revision, current }]): ItemChange[] => {
      const item = this.item(namespace, current?.record.metadata.creationTimestamp ?? null, revision);
      if (!now.has(namespace)) return [{ revision, previous: item }];
      return before.has(namespace) ? [] : [{ revision, current: item }];
    });
  }

  private item(name: string, creationTimestamp: string | null, revision = this.records.revision()): Item {
    return {
      path: name,
      name: { name },
      revision,
      object: {
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: {
          name,
          // There is no record to have one: the name is as good, since a namespace cannot be told from its namesake.
          uid: `namespace-${name}`,
          resourceVersion: String(revision),
          creationTimestamp,
          labels: { 'kubernetes.io/metadata.name': name },
        },
        spec: {},
        status: { phase: 'Active' },
      },
    };
  }
}

function namespaceOf(appPath: string): string {
  return appName(appPath).namespace ?? 'default';
}
