import type { Response } from 'express';
import { BadRequestError, NotFoundError } from '../../core/errors';
import { instancesOf } from '../../core/lifecycle/views';
import { appIdOfInstance, parseTaskId } from '../../core/records/paths';
import { answerRollout } from './answers';
import type { AppChanges } from './app-changes';
import { AppViews, findApp } from './app-view';
import type { MarathonDependencies } from './dependencies';
import { flag } from './query';
import type { TaskView } from './task-view';

export interface KillOptions {
  readonly scale: boolean;
  readonly wipe: boolean;
  readonly force: boolean;
}

/** Throws BadRequestError for scale with wipe (Marathon). */
export function killOptions(query: URLSearchParams): KillOptions {
  const options = { scale: flag(query, 'scale'), wipe: flag(query, 'wipe'), force: flag(query, 'force') };
  if (options.scale && options.wipe) throw new BadRequestError('You cannot use scale and wipe at the same time.');
  return options;
}

/** Kills of tasks by the user. Without `scale` the answer has the tasks as they were; with it, the deployment. */
export class TaskKills {
  constructor(
    private readonly deps: MarathonDependencies,
    private readonly changes: AppChanges,
  ) {}

  /** @param host only tasks on the agent of this name; `*` or null: on all */
  async ofApp(response: Response, id: string, host: string | null, options: KillOptions): Promise<void> {
    const { record } = await this.changes.existing(id);
    const tasks = this.views()
      .tasks(record.spec)
      .filter((task) => host === null || host === '*' || task.host === host);
    await this.kill(response, tasks, options, (killed) => ({ tasks: killed }));
  }

  async one(response: Response, id: string, taskId: string, options: KillOptions): Promise<void> {
    const { record } = await this.changes.existing(id);
    const task = this.views()
      .tasks(record.spec)
      .find((candidate) => candidate.id === taskId);
    if (task === undefined) throw new NotFoundError('Task', taskId);
    await this.kill(response, [task], options, ([killed]) => ({ task: killed }));
  }

  /** Throws BadRequestError for an id that is none; ids of tasks that are not there are skipped (Marathon). */
  async byId(response: Response, ids: readonly string[], options: KillOptions): Promise<void> {
    const tasks = ids.flatMap((id) => this.find(id) ?? []);
    await this.kill(response, tasks, options, (killed) => ({ tasks: killed }));
  }

  private async kill(
    response: Response,
    tasks: readonly TaskView[],
    options: KillOptions,
    body: (tasks: readonly TaskView[]) => unknown,
  ): Promise<void> {
    const ids = tasks.map(({ id }) => id);
    const { killed, rollout } = ids.length === 0 ? { killed: [] } : await this.deps.apps.killTasks(ids, options);
    if (rollout !== undefined) return answerRollout(response, rollout);
    const killedIds = new Set(killed.map(({ taskId }) => taskId));
    response.json(body(tasks.filter(({ id }) => killedIds.has(id))));
  }

  private find(taskId: string): TaskView | undefined {
    const parsed = parseTaskId(taskId);
    if (parsed === undefined)
      throw new BadRequestError(`Invalid task id '${taskId}'. [An id looks like app.instance-<uuid>._app.<number>]`);
    const app = findApp(this.deps.records, appIdOfInstance(parsed.instanceId));
    if (app === undefined) return undefined;
    const known = instancesOf(this.deps.records, app.record.spec.id).some(({ id }) => id === parsed.instanceId);
    return known
      ? this.views()
          .tasks(app.record.spec)
          .find(({ id }) => id === taskId)
      : undefined;
  }

  private views(): AppViews {
    return new AppViews(this.deps.records, this.deps.clock.nowMs());
  }
}
