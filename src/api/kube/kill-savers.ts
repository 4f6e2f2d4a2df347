import { instancePath, parseTaskId, taskIdOf } from '../../core/records/paths';
import type { Canonical, RemoveOptions, Saver, SaveResult, SaverParts } from './saver';
import type { Item } from './source';
import { conflict, forbidden, methodNotAllowed, type Subject } from './status';
import { taskOf } from './wire';

/** Kinds that the control plane alone writes; users can only ask that one ends. */
abstract class ControlledSaver implements Saver {
  constructor(protected readonly parts: SaverParts) {}

  canonical(): Canonical {
    throw methodNotAllowed('the control plane writes this kind');
  }

  async save(): Promise<SaveResult> {
    throw methodNotAllowed('the control plane writes this kind');
  }

  abstract remove(item: Item, options: RemoveOptions, subject: Subject): Promise<void>;
}

/** Instances: deleting one kills its task and forgets the instance; the app controller makes a new one in its place. */
export class InstanceSaver extends ControlledSaver {
  async remove(item: Item, options: RemoveOptions, subject: Subject): Promise<void> {
    const instance = item.stored?.record;
    if (instance?.kind !== 'Instance' || options.dryRun) return;
    const taskId = taskIdOf(instance.metadata.name, instance.spec.incarnation);
    if (instance.spec.goal !== 'Running' && taskOf(this.parts.records, instance) !== undefined) return;
    await kill(this.parts, taskId, { wipe: true }, options, subject);
  }
}

/** Tasks: deleting one kills it. An instance of an app is then started again. */
export class TaskSaver extends ControlledSaver {
  async remove(item: Item, options: RemoveOptions, subject: Subject): Promise<void> {
    const task = item.stored?.record;
    if (task?.kind !== 'Task' || options.dryRun) return;
    const { taskId, frameworkId } = task.spec;
    const parsed = parseTaskId(taskId);
    const instance =
      parsed === undefined ? undefined : this.parts.records.collection('Instance').get(instancePath(parsed.instanceId));
    if (instance === undefined)
      throw forbidden(subject, `it belongs to framework ${frameworkId}, which alone can kill it`);
    await kill(this.parts, taskId, { wipe: false }, options, subject);
  }
}

async function kill(
  { apps }: SaverParts,
  taskId: string,
  { wipe }: { readonly wipe: boolean },
  { gracePeriodSeconds }: RemoveOptions,
  subject: Subject,
): Promise<void> {
  const { killed } = await apps.killTasks([taskId], { scale: false, wipe, force: gracePeriodSeconds === 0 });
  if (killed.length === 0) throw conflict(subject, 'it has no task to kill: it waits for a place, or has just ended');
}

/**
 * Rollouts: deleting one starts another that restores what was before (Marathon: DELETE /v2/deployments). With
 * `--cascade=orphan`, or `--force --grace-period=0`, it is only stopped and things stay as they are.
 */
export class RolloutSaver extends ControlledSaver {
  async remove(item: Item, { dryRun, gracePeriodSeconds, propagationPolicy }: RemoveOptions): Promise<void> {
    const rollout = item.stored?.record;
    if (rollout?.kind !== 'Rollout' || dryRun) return;
    // One that has ended goes by itself.
    if (rollout.status.state === 'Succeeded' || rollout.status.state === 'Failed') return;
    await this.parts.apps.cancelRollout(
      rollout.metadata.name,
      gracePeriodSeconds === 0 || propagationPolicy === 'Orphan',
    );
  }
}
