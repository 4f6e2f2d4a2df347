import { z } from 'zod';
import { InvalidError } from '../../core/errors';
import { APP_FINALIZER, appSpecSchema, type App, type AppSpecInput } from '../../core/records/app';
import { completeApp, isRefused } from '../../core/records/app-validation';
import { appIdFrom } from '../../core/records/paths';
import type { Stored } from '../../core/ports/records';
import type { Draft } from './draft';
import { isObject, omit } from './json';
import type { ObjectName } from './names';
import {
  type Canonical,
  finalizersOf,
  sameSpec,
  type Saver,
  type SaveOptions,
  type SaverParts,
  type SaveResult,
  storedMetadata,
  textsAt,
  writeOf,
  type RemoveOptions,
} from './saver';
import { timestamp } from '../../core/records/metadata';
import type { Item } from './source';
import { conflict, invalidField, type Subject } from './status';
import { parsed } from './violations';
import type { WireObject } from './wire';

/** What was left out stays out, so that the app service can tell it from what was given. Checked by `canonical` before. */
const inputSchema = z.custom<AppSpecInput>((value) => appSpecSchema.safeParse(value).success);

/**
 * Apps: a change of the spec goes to the app service and becomes a rollout; a change of metadata alone is written as it is,
 * and starts nothing.
 */
export class AppSaver implements Saver {
  constructor(private readonly parts: SaverParts) {}

  canonical({ object }: Draft, name: ObjectName, live: Item | undefined, subject: Subject): Canonical {
    const id = appIdFrom(name.namespace ?? 'default', name.name);
    const current = appOf(live)?.record.spec;
    const given = omit(isObject(object['spec']) ? object['spec'] : {}, 'version', 'versionInfo');
    if (given['id'] !== undefined && given['id'] !== id && given['id'] !== id.slice(1))
      throw invalidField(
        subject,
        'spec.id',
        `Invalid value: ${JSON.stringify(given['id'])}: namespace and name make it ${id}`,
      );
    const input = { ...given, id };
    parsed(appSpecSchema, input, subject, 'spec');
    // As the app service will complete it; which ports it picks does not matter to see whether something changed.
    const completed = completeApp(input, {
      servicePorts: { min: 1, max: 65_535 },
      isServicePortUsed: () => false,
      ...(current === undefined ? {} : { previous: current }),
    });
    if (isRefused(completed)) throw new InvalidError(completed);
    const managed = current === undefined ? {} : { version: current.version, versionInfo: current.versionInfo };
    return { object: withOurFinalizer({ ...object, spec: { ...completed.spec, ...managed } }, live), input };
  }

  async save(
    { object, input }: Canonical,
    live: Item | undefined,
    options: SaveOptions,
    subject: Subject,
  ): Promise<SaveResult> {
    if (live !== undefined && sameSpec(object, live)) return this.saveMetadata(object, live, options);
    if (live?.object.metadata['deletionTimestamp'] !== undefined)
      throw conflict(subject, 'the object is being deleted; its spec cannot be changed any more');
    const spec = inputSchema.parse(input);
    const { managedFields } = object.metadata;
    const result = await this.parts.apps.apply(
      [
        {
          kind: 'put',
          spec,
          mode: live === undefined ? 'create' : 'update',
          ...(live === undefined ? {} : { expect: live.revision }),
          metadata: {
            labels: textsAt(object, 'labels'),
            annotations: textsAt(object, 'annotations'),
            finalizers: finalizersOf(object),
            managedFields: Array.isArray(managedFields) ? managedFields : [],
          },
        },
      ],
      { force: options.force, dryRun: options.dryRun },
    );
    if (!options.dryRun) return { warnings: result.warnings };
    const planned = result.apps.find((app) => app.spec.id === spec.id)?.spec ?? object['spec'];
    return { warnings: result.warnings, planned: this.planned(object, live, planned) };
  }

  async remove(item: Item, { dryRun, gracePeriodSeconds }: RemoveOptions): Promise<void> {
    const app = appOf(item);
    if (app === undefined) return;
    const force = gracePeriodSeconds === 0;
    if (app.record.metadata.deletionTimestamp !== undefined && !force) return;
    await this.parts.apps.apply([{ kind: 'delete', id: app.record.spec.id, uid: app.record.metadata.uid }], {
      force,
      dryRun,
    });
  }

  private async saveMetadata(object: WireObject, live: Item, { dryRun }: SaveOptions): Promise<SaveResult> {
    const stored = appOf(live);
    if (stored === undefined || dryRun) return { warnings: [], planned: object };
    const { record, path, revision } = stored;
    const { name, namespace, deletionTimestamp } = record.metadata;
    const storedName = { name, ...(namespace === undefined ? {} : { namespace }) };
    const metadata = storedMetadata(object, storedName, stored, this.parts, false);
    const put = { op: 'put', kind: 'App', path, record: { ...record, metadata }, expect: revision } as const;
    await this.parts.records.write([writeOf(put, finalizersOf(object), deletionTimestamp !== undefined)]);
    return { warnings: [] };
  }

  /** What a dry run shows: the generation as it would be. */
  private planned(object: WireObject, live: Item | undefined, spec: unknown): WireObject {
    const generation = live?.object.metadata['generation'];
    return {
      ...object,
      metadata: {
        uid: this.parts.ids.uuid(),
        creationTimestamp: timestamp(this.parts.clock.nowMs()),
        ...object.metadata,
        generation: (typeof generation === 'number' ? generation : 0) + 1,
      },
      spec,
    };
  }
}

function appOf(item: Item | undefined): Stored<App> | undefined {
  const stored = item?.stored;
  return stored?.record.kind === 'App' ? { ...stored, record: stored.record } : undefined;
}

/** Only the orchestrator takes its finalizer away, when the containers are gone: without it they would be forgotten. */
function withOurFinalizer(object: WireObject, live: Item | undefined): WireObject {
  const before = live === undefined ? [] : finalizersOf(live.object);
  const finalizers = finalizersOf(object);
  if (!before.includes(APP_FINALIZER) || finalizers.includes(APP_FINALIZER)) return object;
  return { ...object, metadata: { ...object.metadata, finalizers: [APP_FINALIZER, ...finalizers] } };
}
