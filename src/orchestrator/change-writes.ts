import type { Records, RecordWrite, Stored } from '../core/ports/records';
import type { App, AppSpec } from '../core/records/app';
import { APP_FINALIZER } from '../core/records/app';
import { timestamp } from '../core/records/metadata';
import { appPath, appVersionPath, namespacedName } from '../core/records/paths';
import type { Rollout, RolloutStep } from '../core/records/records';
import type { Draft } from './change-draft';

/**
 * Marathon: versions are timestamps, unique and rising per app. Later than every version of the apps concerned, whatever the
 * clock says.
 */
export function nextVersion(records: Records, drafts: readonly Draft[], nowMs: number): string {
  let atMs = nowMs;
  for (const { id, stored } of drafts) {
    const versions = records.collection('AppVersion').in(appPath(id));
    for (const version of [stored?.record.spec.version, ...versions.map(({ record }) => record.spec.version)]) {
      const lastMs = version === undefined ? Number.NaN : Date.parse(version);
      if (lastMs >= atMs) atMs = lastMs + 1;
    }
  }
  return timestamp(atMs);
}

/** The definition with its version. Marathon: which of the two times moves depends on what changed. */
export function versioned(draft: Draft, version: string): AppSpec | undefined {
  const { spec, stored, kind } = draft;
  if (spec === undefined) return undefined;
  const before = stored?.record.spec;
  if (kind === 'none') return before;
  const fresh = { lastScalingAt: version, lastConfigChangeAt: version };
  const known = before?.versionInfo ?? fresh;
  if (kind === 'scale') return { ...spec, version, versionInfo: { ...known, lastScalingAt: version } };
  if (kind === 'restart') return { ...spec, version, versionInfo: { ...known, lastConfigChangeAt: version } };
  return { ...spec, version, versionInfo: fresh };
}

export interface WriteContext {
  readonly version: string;
  readonly now: string;
  readonly uuid: () => string;
}

/** The App record of a draft and, for a new version, its AppVersion. */
export function draftWrites(draft: Draft, context: WriteContext): RecordWrite[] {
  const record = draft.spec === undefined ? deletedApp(draft, context) : putApp(draft, context);
  if (record === undefined) return [];
  const path = appPath(draft.id);
  const write: RecordWrite = { op: 'put', kind: 'App', path, record, expect: draft.stored?.revision ?? 0 };
  if (draft.spec === undefined || draft.kind === 'none') return [write];
  return [write, appVersionWrite(record, context)];
}

function deletedApp({ stored, kind }: Draft, { now }: WriteContext): App | undefined {
  if (stored === undefined || kind === 'none') return undefined;
  const { metadata } = stored.record;
  return {
    ...stored.record,
    metadata: { ...metadata, deletionTimestamp: now, generation: metadata.generation + 1 },
  };
}

function putApp(draft: Draft, context: WriteContext): App | undefined {
  const { stored, created, id, metadata = {} } = draft;
  const spec = versioned(draft, context.version);
  if (spec === undefined) return undefined;
  const given = Object.fromEntries(Object.entries(metadata).filter(([, value]) => value !== undefined));
  if (draft.kind === 'none' && Object.keys(given).length === 0) return undefined;
  const known = created ? undefined : stored?.record.metadata;
  const base = known ?? {
    ...namespacedName(id),
    uid: context.uuid(),
    generation: 0,
    creationTimestamp: context.now,
  };
  const generation = draft.kind === 'none' ? base.generation : base.generation + 1;
  const finalizers = withOurs(metadata.finalizers ?? known?.finalizers ?? []);
  // A newer version may have written fields that are not known here: what is not changed is kept.
  const rest = created ? {} : stored?.record;
  const app: App = { ...rest, kind: 'App', metadata: { ...base, ...given, generation, finalizers }, spec };
  return stored?.record.status === undefined ? app : { ...app, status: stored.record.status };
}

/** Our finalizer cannot be taken away by a user: containers would be forgotten. */
function withOurs(finalizers: readonly string[]): string[] {
  return finalizers.includes(APP_FINALIZER) ? [...finalizers] : [...finalizers, APP_FINALIZER];
}

function appVersionWrite({ spec }: App, { now, uuid }: WriteContext): RecordWrite {
  const { namespace } = namespacedName(spec.id);
  const metadata = { name: spec.version, namespace, uid: uuid(), generation: 1, creationTimestamp: now };
  const path = appVersionPath(spec.id, spec.version);
  return { op: 'put', kind: 'AppVersion', path, record: { kind: 'AppVersion', metadata, spec }, expect: 0 };
}

/** The rollout of a change; one without steps is finished before it starts. */
export function rolloutWrite(
  id: string,
  drafts: readonly Draft[],
  steps: RolloutStep[],
  { version, now }: WriteContext,
): RecordWrite {
  const changed = drafts.filter((draft) => draft.transition !== undefined);
  const apps = changed.map((draft) => ({
    id: draft.id,
    ...(draft.stored === undefined || draft.created ? {} : { fromVersion: draft.stored.record.spec.version }),
    ...(draft.spec === undefined ? {} : { toVersion: version }),
  }));
  const record: Rollout = {
    kind: 'Rollout',
    metadata: { name: id, uid: id, generation: 1, creationTimestamp: now },
    spec: { version, apps, steps },
    status: { currentStep: 0, state: steps.length === 0 ? 'Succeeded' : 'Waiting' },
  };
  return { op: 'put', kind: 'Rollout', path: id, record, expect: 0 };
}

/** Ends a running rollout; the orchestrator clears it away. */
export function cancelWrite({ record, path, revision }: Stored<Rollout>, reason: string): RecordWrite {
  const cancelled: Rollout = { ...record, status: { ...record.status, state: 'Failed', reason } };
  return { op: 'put', kind: 'Rollout', path, record: cancelled, expect: revision };
}
