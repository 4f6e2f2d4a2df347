import { AlreadyExistsError, BerthError, ConflictError, InvalidError, NotFoundError } from '../../core/errors';
import { LIMITS } from '../../core/limits';
import type { AppChange, AppService, ChangeOptions, RolloutStarted } from '../../core/ports/app-service';
import type { Records, Stored } from '../../core/ports/records';
import type { App, AppSpec } from '../../core/records/app';
import { appVersionPath } from '../../core/records/paths';
import { findApp } from './app-view';
import { merged, type AppPatch, type AppWire } from './wire';

export interface AppUpdate {
  readonly id: string;
  readonly wire: AppWire;
}

export interface UpdateOptions extends ChangeOptions {
  /** Absent fields get their defaults instead of staying (Marathon: partialUpdate=false). */
  readonly replace: boolean;
  /** Apps that do not exist are created; otherwise NotFoundError. */
  readonly create: boolean;
}

/**
 * Writes of apps through the AppService, on whatever replica the client has reached. Updates are read-modify-write: the
 * revision that was read goes along, and a lost race is run again from a fresh read.
 */
export class AppChanges {
  constructor(
    private readonly records: Records,
    private readonly service: AppService,
  ) {}

  create(id: string, patch: AppPatch, options: ChangeOptions): Promise<RolloutStarted> {
    return this.service.apply([{ kind: 'put', mode: 'create', spec: { ...patch, id } }], options);
  }

  /** All updates in one rollout. */
  async update(updates: readonly AppUpdate[], options: UpdateOptions): Promise<RolloutStarted> {
    const { replace, create, ...change } = options;
    return this.withFreshReads(
      updates.map(({ id }) => id),
      () =>
        this.service.apply(
          updates.map((update) => this.changeOf(update, replace, create)),
          change,
        ),
    );
  }

  async remove(id: string, options: ChangeOptions): Promise<RolloutStarted> {
    await this.existing(id);
    return this.service.apply([{ kind: 'delete', id }], options);
  }

  async restart(id: string, options: ChangeOptions): Promise<RolloutStarted> {
    await this.existing(id);
    return this.service.apply([{ kind: 'restart', id }], options);
  }

  /**
   * The app, looked up again after a refresh of the mirror when it is not there: it may have been written through another
   * replica just now. Throws NotFoundError.
   */
  async existing(id: string): Promise<Stored<App>> {
    const known = findApp(this.records, id);
    if (known !== undefined) return known;
    await this.records.sync();
    return this.mustFind(id);
  }

  /** The definition of an app in one of its versions. Throws NotFoundError, InvalidError for what is no version. */
  async version(id: string, version: string): Promise<AppSpec> {
    const { record } = await this.existing(id);
    return this.stored(record.spec, version);
  }

  private changeOf({ id, wire }: AppUpdate, replace: boolean, create: boolean): AppChange {
    const found = findApp(this.records, id);
    if (found === undefined) {
      if (!create || isRollback(wire, replace)) throw new NotFoundError('App', id);
      return { kind: 'put', mode: 'create', spec: { ...wire.patch, id } };
    }
    const { record, revision } = found;
    const spec = isRollback(wire, replace)
      ? this.stored(record.spec, wire.version ?? '')
      : replace
        ? { ...wire.patch, id }
        : merged(record.spec, wire.patch);
    return { kind: 'put', mode: 'update', spec, expect: revision };
  }

  private stored(current: AppSpec, version: string): AppSpec {
    const atMs = Date.parse(version);
    if (Number.isNaN(atMs)) throw new InvalidError([], `Invalid format: "${version}" is no timestamp`);
    const exact = new Date(atMs).toISOString();
    if (current.version === exact) return current;
    const found = this.records.collection('AppVersion').get(appVersionPath(current.id, exact));
    if (found !== undefined) return found.record.spec;
    throw new NotFoundError('App', current.id, `App '${current.id}' does not exist in version ${version}`);
  }

  private mustFind(id: string): Stored<App> {
    const found = findApp(this.records, id);
    if (found === undefined) throw new NotFoundError('App', id);
    return found;
  }

  private async withFreshReads<T>(ids: readonly string[], attempt: () => Promise<T>): Promise<T> {
    if (ids.some((id) => findApp(this.records, id) === undefined)) await this.records.sync();
    for (let tries = 1; ; tries += 1) {
      try {
        return await attempt();
      } catch (error) {
        if (!isLostRace(error) || tries >= LIMITS.writeAttempts) throw error;
        await this.records.sync();
      }
    }
  }
}

/** Another writer was faster; what it wrote is only now to be seen. */
function isLostRace(error: unknown): boolean {
  return error instanceof BerthError && (error instanceof ConflictError || error instanceof AlreadyExistsError);
}

const ROLLBACK_FIELDS: ReadonlySet<string> = new Set(['id', 'version']);

/** Marathon: `version` in an update restores that version, and then stands alone. A replacement has no use for it. */
function isRollback(wire: AppWire, replace: boolean): boolean {
  if (wire.version === undefined || replace) return false;
  if ([...wire.sent].every((field) => ROLLBACK_FIELDS.has(field))) return true;
  throw new InvalidError([{ path: '/', message: "The 'version' field may only be combined with the 'id' field." }]);
}
