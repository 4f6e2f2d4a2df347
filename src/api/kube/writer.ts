import { AlreadyExistsError, ConflictError } from '../../core/errors';
import { LIMITS } from '../../core/limits';
import type { Records } from '../../core/ports/records';
import { draftOf, type Draft, type FieldValidation, sameContent, subjectOf } from './draft';
import { afterUpdate, type Author, managedFieldsOf, type Owner, ownersOf, sameOwners } from './managed-fields';
import { type JsonObject, omit } from './json';
import type { ObjectName } from './names';
import type { RecordResource } from './resources';
import type { Canonical, SaveOptions, Saver } from './saver';
import type { Schema } from './schemas';
import type { Item, Source } from './source';
import { alreadyExists, conflict, kubeErrorOf, notFound } from './status';
import type { WireObject } from './wire';

/** What a request makes of the live object. */
export interface Change {
  readonly object: JsonObject;
  /** Given by server-side apply; otherwise ownership follows from what changed. */
  readonly owners?: readonly Owner[];
  readonly force?: boolean;
}

export interface WriteRequest {
  readonly name: ObjectName;
  /** `create`: must not exist; `update`: must exist; `apply`: either. */
  readonly mode: 'create' | 'update' | 'apply';
  /** Called anew for each attempt. */
  readonly change: (live: WireObject | undefined) => Change;
  readonly author: Author;
  readonly validation: FieldValidation;
  readonly dryRun: boolean;
}

export interface Written {
  readonly object: WireObject;
  readonly created: boolean;
  readonly warnings: readonly string[];
  /** Gone: this write took the last finalizer of an object that was to be deleted. */
  readonly gone?: boolean;
}

/** Read, change, compare-and-swap for one resource; tried again when somebody else was faster. */
export class Writer {
  constructor(
    private readonly resource: RecordResource,
    private readonly source: Source,
    private readonly records: Records,
    private readonly saver: Saver,
    private readonly parts: Readonly<Record<string, Schema>>,
  ) {}

  /** Throws KubeError. A resourceVersion in the object that is not the live one is a 409 at once. */
  async write(request: WriteRequest): Promise<Written> {
    const subject = subjectOf(this.resource, request.name.name);
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.attempt(request);
      } catch (error) {
        if (!isRace(error, request.mode)) throw kubeErrorOf(error, subject) ?? error;
        if (attempt === LIMITS.writeAttempts)
          throw conflict(subject, `it is being changed by others all the time; ${attempt} attempts were made`);
        await this.records.sync();
      }
    }
  }

  private async attempt(request: WriteRequest): Promise<Written> {
    const { name, mode, validation, author } = request;
    const live = this.source.get(name);
    const subject = subjectOf(this.resource, name.name, live?.object.metadata['uid']);
    if (mode === 'create' && live !== undefined) throw alreadyExists(subject, isDeleting(live));
    if (mode === 'update' && live === undefined) throw notFound(subject);
    const change = request.change(live?.object);
    const draft = draftOf(change.object, this.resource, this.parts, name, live, validation);
    const canonical = this.saver.canonical(draft, name, live, subject);
    const owners = change.owners ?? ownersAfter(draft, canonical.object, live, author);
    const unchanged = live !== undefined && sameContent(canonical.object, live.object);
    if (unchanged && sameOwners(owners, ownersOf(live.object.metadata['managedFields'])))
      return { object: live.object, created: false, warnings: draft.warnings };
    const owned = { ...canonical, object: withOwners(canonical.object, owners) };
    const options = { dryRun: request.dryRun, force: draft.force || change.force === true };
    return this.store(owned, live, options, draft.warnings, name);
  }

  private async store(
    canonical: Canonical,
    live: Item | undefined,
    options: SaveOptions,
    warnings: readonly string[],
    name: ObjectName,
  ): Promise<Written> {
    const subject = subjectOf(this.resource, name.name, live?.object.metadata['uid']);
    const result = await this.saver.save(canonical, live, options, subject);
    const stored = options.dryRun ? undefined : this.source.get(name);
    const shown = stored?.object ?? result.planned ?? canonical.object;
    const all = [...warnings, ...result.warnings];
    const gone = !options.dryRun && stored === undefined;
    return { object: shown, created: live === undefined, warnings: all, ...(gone ? { gone } : {}) };
  }
}

/** Lost to another writer: worth another look. */
function isRace(error: unknown, mode: WriteRequest['mode']): boolean {
  if (error instanceof ConflictError) return mode !== 'create';
  return mode === 'apply' && error instanceof AlreadyExistsError;
}

/**
 * Owners after an update. A managedFields list that differs from the live one was sent on purpose (kubectl does so when it
 * moves from client-side to server-side apply) and is the new base. A new object: its author owns what was written, not the defaults.
 */
function ownersAfter(draft: Draft, canonical: WireObject, live: Item | undefined, author: Author): Owner[] {
  if (live === undefined) return afterUpdate([], undefined, draft.object, author);
  const sent = draft.object.metadata['managedFields'];
  const base = ownersOf(Array.isArray(sent) ? sent : live.object.metadata['managedFields']);
  return afterUpdate(base, live.object, canonical, author);
}

function isDeleting(item: Item): boolean {
  return item.object.metadata['deletionTimestamp'] !== undefined;
}

function withOwners(object: WireObject, owners: readonly Owner[]): WireObject {
  const metadata = omit(object.metadata, 'managedFields');
  const entries = managedFieldsOf(owners);
  return { ...object, metadata: { ...metadata, ...(entries.length === 0 ? {} : { managedFields: entries }) } };
}
