import type { FoundContainer } from '../testbed/agent-host';
import { IMAGE, type Testbed } from '../testbed/testbed';
import type { MarathonApp } from '../support/marathon-client';
import { waitFor } from '../support/wait';

/** Longest wait of these suites: several beds may share the machine. */
export const PATIENCE_MS = 60_000;

/** A small bed: these faults are about one host, not about a quorum. */
export const SMALL_BED = { agents: 2, servers: 1, etcd: 1 } as const;

/** An app that only lives. `host` pins it to one host by its attribute. */
export function sleeper(id: string, overrides: Record<string, unknown> = {}, host?: string): Record<string, unknown> {
  return {
    id,
    cmd: 'exec sleep 100000',
    cpus: 0.1,
    mem: 16,
    instances: 1,
    container: { type: 'DOCKER', docker: { image: IMAGE, network: 'BRIDGE' } },
    backoffSeconds: 1,
    taskKillGracePeriodSeconds: 1,
    ...(host === undefined ? {} : on(host)),
    ...overrides,
  };
}

/** Constraints that pin an app to one host. */
export function on(host: string): { readonly constraints: readonly string[][] } {
  return { constraints: [['host', 'LIKE', host]] };
}

export interface TaskFailure {
  readonly message: string;
  readonly state: string;
  readonly taskId: string;
  readonly host?: string;
}

/** Waits for the app's last failure to say something that matches. */
export async function failureOf(bed: Testbed, appId: string, words: RegExp): Promise<TaskFailure> {
  return waitFor(
    `${appId} to fail with ${String(words)}`,
    async () => {
      const failure = (await bed.marathon().app(appId)).lastTaskFailure;
      return failure !== undefined && words.test(failure.message) ? failure : undefined;
    },
    PATIENCE_MS,
  ).catch(async (error: unknown) => {
    const { lastTaskFailure, tasks } = await bed.marathon().app(appId);
    const seen = JSON.stringify({ lastTaskFailure, tasks, queue: (await queued(bed, appId))?.message });
    const logs = bed.hosts.map(({ agent }) => agent.lastWords(10));
    throw new Error([`${String(error)}; seen: ${seen}`, ...logs].join('\n'), { cause: error });
  });
}

export interface QueueItem {
  readonly count: number;
  readonly delay: { readonly timeLeftSeconds: number; readonly overdue: boolean };
  readonly message?: string;
  readonly app: { readonly id: string };
}

/** What the launch queue says of the app; undefined: nothing waits. */
export async function queued(bed: Testbed, appId: string): Promise<QueueItem | undefined> {
  const { queue } = (await bed.marathon().ok('GET', '/v2/queue')) as { queue: QueueItem[] };
  return queue.find(({ app }) => app.id === appId);
}

/** Waits for so many failed launches or runs of the app, and tells the longest pause that the launch queue has announced, seconds. */
export async function longestPause(bed: Testbed, appId: string, failures: number): Promise<number> {
  const failed = new Set<string>();
  let longest = 0;
  const enough = async () => {
    const failure = (await bed.marathon().app(appId)).lastTaskFailure;
    if (failure !== undefined) failed.add(failure.taskId);
    longest = Math.max(longest, (await queued(bed, appId))?.delay.timeLeftSeconds ?? 0);
    return failed.size >= failures;
  };
  await waitFor(`${failures} failures of ${appId}`, enough, PATIENCE_MS);
  return longest;
}

/** The one running task of an app, with its container. */
export async function onlyTask(bed: Testbed, appId: string): Promise<{ readonly taskId: string } & FoundContainer> {
  const [task] = (await bed.marathon().settled(appId, 1, PATIENCE_MS)).tasks;
  const container = [...(await bed.containers()).values()].flat().find(({ taskId }) => taskId === task?.id);
  if (container === undefined) throw new Error(`no container of ${appId}`);
  return container;
}

/** Waits until the app runs `count` tasks and none of them is one of `before`. */
export async function replaced(
  bed: Testbed,
  appId: string,
  before: readonly string[],
  count = 1,
): Promise<MarathonApp> {
  return waitFor(
    `${appId} to have ${count} new tasks`,
    async () => {
      const app = await bed.marathon().settled(appId, count, PATIENCE_MS);
      return app.tasks.every(({ id }) => !before.includes(id)) ? app : undefined;
    },
    PATIENCE_MS,
  );
}

/**
 * Waits until the records of tasks and what the engines run are the same, with no container left in between: none twice, none that no
 * record names, none without its process. Containers that have ended are kept for a while on purpose.
 */
export async function recordsEqualEngines(bed: Testbed): Promise<void> {
  let seen = '';
  const equal = async () => {
    const { tasks } = (await bed.marathon().ok('GET', '/v2/tasks')) as { tasks: { id: string; state: string }[] };
    const records = tasks.map(({ id, state }) => `${id} ${state === 'TASK_RUNNING' ? 'running' : state}`).toSorted();
    const engines = [...(await bed.containers()).values()]
      .flat()
      .filter(({ state }) => state !== 'exited')
      .map(({ taskId, state }) => `${taskId} ${state}`)
      .toSorted();
    seen = `records: ${records.join(', ')}; engines: ${engines.join(', ')}`;
    return JSON.stringify(records) === JSON.stringify(engines);
  };
  await waitFor('records to equal engines', equal, PATIENCE_MS).catch((error: unknown) => {
    throw new Error(`${String(error)}; ${seen}`, { cause: error });
  });
}

/** Removes every app and waits for their containers to go. */
export async function removeApps(bed: Testbed): Promise<void> {
  const { apps } = (await bed.marathon().ok('GET', '/v2/apps')) as { apps: { id: string }[] };
  for (const { id } of apps) await bed.marathon().call('DELETE', `/v2/apps${id}?force=true`);
  for (const { id } of apps) await bed.marathon().gone(id, PATIENCE_MS);
  await recordsEqualEngines(bed);
}

/** A client that never stops asking. */
export class Caller {
  private readonly failures: string[] = [];
  private readonly done: Promise<void>;
  private wanted = true;
  private answered = 0;

  constructor(private readonly url: string) {
    this.done = this.run();
  }

  /** Waits for so many more good answers. */
  async answers(count: number): Promise<void> {
    const enough = this.answered + count;
    await waitFor(`${count} answers of ${this.url}`, () => this.answered >= enough, PATIENCE_MS);
  }

  /** Ends it; what went wrong so far, with its time. */
  async stop(): Promise<readonly string[]> {
    this.wanted = false;
    await this.done;
    return this.failures;
  }

  private async run(): Promise<void> {
    while (this.wanted) {
      try {
        const answer = await fetch(this.url, { signal: AbortSignal.timeout(5_000), headers: { connection: 'close' } });
        await answer.arrayBuffer();
        if (answer.ok) this.answered += 1;
        else this.failures.push(`${new Date().toISOString()} HTTP ${answer.status}`);
      } catch (error) {
        this.failures.push(`${new Date().toISOString()} ${String(error)}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
