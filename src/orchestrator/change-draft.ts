import { AlreadyExistsError, ConflictError, InvalidError, NotFoundError, type Violation } from '../core/errors';
import type { AppTransition } from '../core/deployment/plan';
import { differenceOf } from '../core/deployment/plan';
import type { AppChange } from '../core/ports/app-service';
import type { Records, Stored } from '../core/ports/records';
import type { App, AppSpec } from '../core/records/app';
import { completeApp, isRefused, type AppContext } from '../core/records/app-validation';
import { appPath, KEY_ROOT } from '../core/records/paths';

/** One change against what is stored: checked, completed, nothing decided about versions or rollouts yet. */
export interface Draft {
  readonly id: string;
  /** The record there is, also one that is being deleted. */
  readonly stored: Stored<App> | undefined;
  /** True when no app is visible under the id (absent, or being deleted). */
  readonly created: boolean;
  /** The new definition; undefined: delete. */
  readonly spec: AppSpec | undefined;
  readonly metadata: Extract<AppChange, { kind: 'put' }>['metadata'];
  /** What the rollout has to do; undefined: the definition stays the same. */
  readonly transition: AppTransition | undefined;
  readonly kind: 'config' | 'scale' | 'restart' | 'delete' | 'none';
}

export type DraftContext = Pick<AppContext, 'servicePorts' | 'defaultNetworkName' | 'isServicePortUsed'>;

/** Throws NotFoundError, AlreadyExistsError, ConflictError or InvalidError. */
export function draftChange(records: Records, change: AppChange, context: DraftContext): Draft {
  if (change.kind === 'put') return draftPut(records, change, context);
  const stored = records.collection('App').get(appPath(change.id));
  if (stored === undefined) throw new NotFoundError('App', change.id);
  return change.kind === 'delete' ? draftDelete(change, stored) : draftRestart(change.id, stored);
}

function draftPut(records: Records, change: Extract<AppChange, { kind: 'put' }>, context: DraftContext): Draft {
  const id = String(change.spec.id);
  const stored = records.collection('App').get(appPath(id));
  const live = stored?.record.metadata.deletionTimestamp === undefined ? stored : undefined;
  if (change.mode === 'create' && live !== undefined) {
    throw new AlreadyExistsError('App', id, `An app with id [${id}] already exists.`);
  }
  if (change.mode === 'update' && live === undefined) throw new NotFoundError('App', id);
  expectRevision(id, stored, change.expect);
  const spec = complete(change, stored?.record.spec, context);
  const transition = transitionOf(id, stored, live, spec);
  const base = { id, stored, created: live === undefined, spec, metadata: change.metadata };
  if (transition === undefined) return { ...base, transition: undefined, kind: 'none' };
  const isScale = live !== undefined && differenceOf(live.record.spec, spec) === 'scale';
  return { ...base, transition, kind: isScale ? 'scale' : 'config' };
}

function complete(
  change: Extract<AppChange, { kind: 'put' }>,
  previous: AppSpec | undefined,
  context: DraftContext,
): AppSpec {
  const result = completeApp(change.spec, { ...context, ...(previous === undefined ? {} : { previous }) });
  if (isRefused(result)) throw new InvalidError(result);
  return result.spec;
}

function transitionOf(
  id: string,
  stored: Stored<App> | undefined,
  live: Stored<App> | undefined,
  spec: AppSpec,
): AppTransition | undefined {
  if (stored === undefined) return { id, to: spec };
  // Putting an app that is being deleted brings it back: whatever still runs is replaced.
  if (live === undefined) return { id, from: stored.record.spec, to: spec, restart: true };
  return differenceOf(live.record.spec, spec) === 'none' ? undefined : { id, from: live.record.spec, to: spec };
}

function draftDelete(change: Extract<AppChange, { kind: 'delete' }>, stored: Stored<App>): Draft {
  expectRevision(change.id, stored, change.expect);
  if (change.uid !== undefined && change.uid !== stored.record.metadata.uid) {
    throw new ConflictError(keyOf(change.id), stored.revision);
  }
  const isGoing = stored.record.metadata.deletionTimestamp !== undefined;
  return {
    id: change.id,
    stored,
    created: false,
    spec: undefined,
    metadata: undefined,
    transition: isGoing ? undefined : { id: change.id, from: stored.record.spec },
    kind: isGoing ? 'none' : 'delete',
  };
}

function draftRestart(id: string, stored: Stored<App>): Draft {
  if (stored.record.metadata.deletionTimestamp !== undefined) throw new NotFoundError('App', id);
  const { spec } = stored.record;
  const transition = { id, from: spec, to: spec, restart: true };
  return { id, stored, created: false, spec, metadata: undefined, transition, kind: 'restart' };
}

function keyOf(id: string): string {
  return `${KEY_ROOT}apps/${appPath(id)}`;
}

function expectRevision(id: string, stored: Stored<App> | undefined, expect: number | undefined): void {
  if (expect !== undefined && expect !== (stored?.revision ?? 0)) throw new ConflictError(keyOf(id), expect);
}

/** Marathon: an app must not have the id of a group, which is any proper prefix of another app's id. */
export function identityViolations(records: Records, created: readonly string[]): Violation[] {
  if (created.length === 0) return [];
  const apps = records.collection('App');
  const all = [...created, ...[...apps.list()].map(({ record }) => record.spec.id)];
  const clashes = created.some(
    (id) => all.some((other) => other.startsWith(`${id}/`)) || ancestorsOf(id).some((group) => isApp(group)),
  );
  const message = 'Groups and Applications may not have the same identifier.';
  return clashes ? [{ path: '/id', message }] : [];

  function isApp(id: string): boolean {
    return apps.get(appPath(id)) !== undefined || created.includes(id);
  }
}

/** `/prod/eu/web` -> `/prod/eu`, `/prod`. */
export function ancestorsOf(id: string): string[] {
  const ancestors: string[] = [];
  for (let cut = id.lastIndexOf('/'); cut > 0; cut = id.lastIndexOf('/', cut - 1)) ancestors.push(id.slice(0, cut));
  return ancestors;
}
