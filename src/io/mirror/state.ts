import type { RecordChange, Stored } from '../../core/ports/records';
import type { Change, ChangeBatch, Entry } from '../../core/ports/store';
import { ALL_KINDS, type Kind, type RecordOf } from '../../core/records/records';
import { keyOf, parseRecord, placeOf, type Place } from './codec';
import { MirrorCollection } from './collection';

type Collections = { readonly [K in Kind]: MirrorCollection<RecordOf[K]> };
type AnyStored = Stored<RecordOf[Kind]>;

/** A write of this process. `record` is kept so that the watch need not parse what we have just written. */
export interface OwnWrite extends Place {
  readonly key: string;
  /** Absent: deleted. */
  readonly put?: { readonly text: string; readonly record: RecordOf[Kind] };
}

/** A key that the collection shows newer than the feed has told: an own write whose event is on its way. */
interface Ahead extends Place {
  readonly revision: number;
  /** What the feed has last told about the key. */
  shown: AnyStored | undefined;
}

/** An entry of a list that is being taken in: parsed, or without `stored` when it is to stay as the mirror has it. */
export interface Staged extends Place {
  readonly key: string;
  readonly revision: number;
  readonly stored?: AnyStored;
}

/**
 * What the mirror knows, and the rules by which it changes. No waiting, no store. Two views of each key:
 * - the **collection**: the newest of what the watch brought and of what this process wrote itself;
 * - the **feed** (the changes returned here): strictly in order of revision, from list and watch alone, so that whoever
 *   follows it and resumes from the last revision it saw misses nothing.
 */
export class MirrorState {
  private readonly collections = newCollections();
  private readonly ahead = new Map<string, Ahead>();
  /** Own writes that are under way, or whose event is. */
  private readonly own = new Map<string, OwnWrite>();
  private readonly corruptKeys = new Map<string, string>();
  private complete = 0;
  private isForeign = false;

  /** @param onCorrupt hears of each record that cannot be parsed, once per kind of damage */
  constructor(private readonly onCorrupt: (key: string, error: string) => void = () => undefined) {}

  /** The feed is complete up to here; 0 before the first list. */
  get revision(): number {
    return this.complete;
  }

  /** Key -> what is wrong with it. */
  get corrupt(): ReadonlyMap<string, string> {
    return this.corruptKeys;
  }

  collection<K extends Kind>(kind: K): MirrorCollection<RecordOf[K]> {
    return this.collections[kind];
  }

  /**
   * True when the entry cannot be of the history this mirror has followed: of what is not newer than itself it has seen
   * everything. Says so of a store that was restored or emptied and has grown past our revision again.
   */
  contradicts(entry: Entry): boolean {
    if (this.isForeign || entry.revision > this.complete || this.corruptKeys.has(entry.key)) return false;
    const place = placeOf(entry.key);
    return place !== undefined && this.shown(entry.key, place)?.revision !== entry.revision;
  }

  /**
   * The store tells another history than the one seen so far: equal revisions mean nothing any more. What is shown stays until
   * the next `replace`, which takes in everything anew.
   */
  mistrust(): void {
    this.isForeign = true;
    this.ahead.clear();
    this.own.clear();
    this.corruptKeys.clear();
  }

  /** Parses an entry of a list unless the mirror has it already. Undefined: not a record. Changes only `corrupt`. */
  stage(entry: Entry): Staged | undefined {
    const place = placeOf(entry.key);
    if (place === undefined) return undefined;
    const staged: Staged = { ...place, key: entry.key, revision: entry.revision };
    if (!this.isForeign && this.shown(entry.key, place)?.revision === entry.revision) return staged;
    const stored = this.parse(place, entry);
    return stored === undefined ? staged : { ...staged, stored };
  }

  /** Takes in a complete list: what it does not name is gone. Returns the differences in order of revision. */
  replace(staged: readonly Staged[], revision: number): RecordChange[] {
    const listed = new Set<string>();
    const changes: RecordChange[] = [];
    for (const entry of staged) {
      listed.add(entry.key);
      if (entry.stored !== undefined) this.show(entry.key, entry, entry.revision, entry.stored, changes);
    }
    changes.sort((a, b) => a.revision - b.revision);
    for (const [key, place] of this.places()) if (!listed.has(key)) this.show(key, place, revision, undefined, changes);
    for (const key of this.corruptKeys.keys()) if (!listed.has(key)) this.corruptKeys.delete(key);
    this.isForeign = false;
    this.settle(revision);
    return changes;
  }

  /** Takes in one batch of the watch; a batch that is known already changes nothing. */
  apply(batch: ChangeBatch): RecordChange[] {
    const changes: RecordChange[] = [];
    if (batch.revision <= this.complete) return changes;
    for (const change of batch.changes) this.applyOne(change, changes);
    this.settle(batch.revision);
    return changes;
  }

  /** An own write is about to be sent: its event need not be parsed. */
  expectOwn(write: OwnWrite): void {
    this.own.set(write.key, write);
  }

  /** The write failed, or nobody knows. */
  forgetOwn(write: OwnWrite): void {
    if (this.own.get(write.key) === write) this.own.delete(write.key);
  }

  /** The write is durable: the collection shows it from now on, the feed when the watch brings it. */
  applyOwn(write: OwnWrite, revision: number): void {
    const { key, kind, path, put } = write;
    if (revision <= this.complete) return this.forgetOwn(write);
    const ahead = this.ahead.get(key);
    if (ahead !== undefined && ahead.revision >= revision) return; // answers may come in another order than the writes
    const shown = this.shown(key, write);
    this.ahead.delete(key); // so that the map stays in order of revision
    this.ahead.set(key, { kind, path, revision, shown });
    if (put === undefined) this.table(kind).delete(path);
    else this.table(kind).set({ path, record: put.record, revision });
  }

  private applyOne(change: Change, changes: RecordChange[]): void {
    const key = change.kind === 'put' ? change.entry.key : change.key;
    const place = placeOf(key);
    if (place === undefined) return;
    if (change.kind === 'delete') {
      this.corruptKeys.delete(key);
      return this.show(key, place, change.revision, undefined, changes);
    }
    const stored = this.parse(place, change.entry);
    if (stored !== undefined) this.show(key, place, change.entry.revision, stored, changes);
  }

  /** Moves the feed's view of a key to `stored`, and the collection's unless an own write is newer. */
  private show(
    key: string,
    { kind, path }: Place,
    revision: number,
    stored: AnyStored | undefined,
    changes: RecordChange[],
  ): void {
    const ahead = this.ahead.get(key);
    const previous = this.shown(key, { kind, path });
    if (ahead !== undefined && ahead.revision > revision) ahead.shown = stored;
    else {
      if (ahead !== undefined) this.dropAhead(key);
      if (stored === undefined) this.table(kind).delete(path);
      else this.table(kind).set(stored);
    }
    if (previous === undefined && stored === undefined) return;
    const current = stored === undefined ? {} : { current: stored };
    changes.push({ kind, path, revision, ...(previous === undefined ? {} : { previous }), ...current });
  }

  private shown(key: string, { kind, path }: Place): AnyStored | undefined {
    const ahead = this.ahead.get(key);
    return ahead === undefined ? this.table(kind).get(path) : ahead.shown;
  }

  /** The record of an entry. A corrupt one is named and set aside; the last good version stays where it is. */
  private parse({ kind, path }: Place, entry: Entry): AnyStored | undefined {
    const { key, revision } = entry;
    const own = this.own.get(key)?.put;
    const parsed =
      own !== undefined && own.text === entry.value
        ? { ok: true as const, record: own.record }
        : parseRecord(kind, entry.value);
    if (parsed.ok) {
      this.corruptKeys.delete(key);
      return { path, record: parsed.record, revision };
    }
    if (this.corruptKeys.get(key) !== parsed.error) this.onCorrupt(key, parsed.error);
    this.corruptKeys.set(key, parsed.error);
    return undefined;
  }

  private settle(revision: number): void {
    this.complete = revision;
    for (const [key, { revision: aheadRevision }] of this.ahead) {
      if (aheadRevision > revision) return;
      this.dropAhead(key); // e.g. the deletion of what did not exist: no event will come
    }
  }

  private dropAhead(key: string): void {
    this.ahead.delete(key);
    this.own.delete(key);
  }

  /** Every key that the collections or the feed know. */
  private places(): Map<string, Place> {
    const places = new Map<string, Place>();
    for (const kind of ALL_KINDS)
      for (const { path } of this.table(kind).list()) places.set(keyOf(kind, path), { kind, path });
    for (const [key, { kind, path }] of this.ahead) places.set(key, { kind, path });
    return places;
  }

  /** For code that handles all kinds alike. The caller keeps record and kind together, as `parse` and the writes do. */
  private table(kind: Kind): MirrorCollection<RecordOf[Kind]> {
    return this.collections[kind] as unknown as MirrorCollection<RecordOf[Kind]>;
  }
}

function newCollections(): Collections {
  return {
    App: new MirrorCollection(),
    AppVersion: new MirrorCollection(),
    Group: new MirrorCollection(),
    Rollout: new MirrorCollection(),
    Instance: new MirrorCollection(),
    Task: new MirrorCollection(),
    Agent: new MirrorCollection(),
    Framework: new MirrorCollection(),
    Role: new MirrorCollection(),
    Event: new MirrorCollection(),
  };
}
