import { textOf } from './error-text';
import { setTimeout as pause } from 'node:timers/promises';
import {
  appAnswerSchema,
  statusSchema,
  type AppAnswer,
  type ClusterStatus,
  type MarathonTask,
} from './cluster-answers';
import { ClusterError, type ClusterClient } from './cluster-client';
import type { Terminal } from './terminal';

/** Streams open at once; more instances than this are named and left out. */
const MOST_STREAMS = 50;
/** Milliseconds between two looks for new instances while following. */
const LOOK_AGAIN_MS = 2_000;
/** Characters of a line that does not end; a longer one is printed in parts. */
const LONGEST_LINE = 65_536;

export interface LogsOptions {
  /** `/prod/web`, with or without the leading slash. */
  readonly app: string;
  readonly follow: boolean;
  /** Lines of each instance to start with; undefined: all. */
  readonly tail: number | undefined;
  readonly stream: 'stdout' | 'stderr';
}

/**
 * `berth logs`: the output of every instance of an app, from the agents that have it. With several instances each line
 * starts with the short id of its run. Following goes on, with new instances too, until `signal` aborts. Throws ClusterError.
 */
export async function logs(
  cluster: ClusterClient,
  options: LogsOptions,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<void> {
  const printer = new LogPrinter(cluster, options, terminal, signal);
  const first = await readApp(cluster, options.app);
  if (first.tasks.length === 0) {
    if (!options.follow) throw new ClusterError(nothingRuns(first));
    terminal.err(`${nothingRuns(first)}; waiting for one\n`);
  }
  await printer.attach(first, options.tail);
  while (options.follow && !signal.aborted) {
    await pause(LOOK_AGAIN_MS, undefined, { signal }).catch(() => undefined);
    // An instance that appears while we look is shown from its start. A server that is away for a moment changes nothing.
    if (!signal.aborted)
      await readApp(cluster, options.app).then(
        (app) => printer.attach(app, undefined),
        () => undefined,
      );
  }
  await printer.finished();
}

class LogPrinter {
  private readonly seen = new Set<string>();
  private readonly open = new Set<Promise<void>>();

  constructor(
    private readonly cluster: ClusterClient,
    private readonly options: LogsOptions,
    private readonly terminal: Terminal,
    private readonly signal: AbortSignal,
  ) {}

  /** Starts printing the instances that are not being printed yet. */
  async attach(app: AppAnswer, tail: number | undefined): Promise<void> {
    const fresh = app.tasks.filter((task) => !this.seen.has(task.id));
    if (fresh.length === 0) return;
    const { agents } = await this.cluster.get('/v1/status', statusSchema);
    const marked = app.instances > 1 || app.tasks.length > 1 || this.seen.size > 0;
    const room = MOST_STREAMS - this.open.size;
    for (const task of fresh) this.seen.add(task.id);
    for (const task of fresh.slice(0, room)) this.start(task, agents, tail, marked);
    if (fresh.length > room)
      this.terminal.err(`${fresh.length - room} more instances are not shown: at most ${MOST_STREAMS} at once\n`);
  }

  /** Resolves when every output has ended. */
  async finished(): Promise<void> {
    await Promise.all(this.open);
  }

  private start(task: MarathonTask, agents: ClusterStatus['agents'], tail: number | undefined, marked: boolean): void {
    const mark = marked ? `${shortId(task.id)} | ` : '';
    const done: Promise<void> = this.print(task, agents, tail, mark)
      .catch((error: unknown) => {
        const why = textOf(error);
        if (!this.signal.aborted) this.terminal.err(`${task.id}: ${why}\n`);
      })
      .finally(() => this.open.delete(done));
    this.open.add(done);
  }

  private async print(
    task: MarathonTask,
    agents: ClusterStatus['agents'],
    tail: number | undefined,
    mark: string,
  ): Promise<void> {
    const url = logsUrl(agents, task, this.options, tail);
    const decoder = new TextDecoder();
    let rest = '';
    for await (const chunk of await this.cluster.stream(url, this.signal)) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > LONGEST_LINE) {
        lines.push(rest);
        rest = '';
      }
      if (lines.length > 0) this.terminal.out(lines.map((line) => `${mark}${line}\n`).join(''));
    }
    if (rest !== '') this.terminal.out(`${mark}${rest}\n`);
  }
}

async function readApp(cluster: ClusterClient, id: string): Promise<AppAnswer> {
  const path = id.replace(/^\/+/, '').split('/').map(encodeURIComponent).join('/');
  try {
    return (await cluster.get(`/v2/apps/${path}`, appAnswerSchema)).app;
  } catch (error) {
    if (error instanceof ClusterError && error.status === 404)
      throw new ClusterError(`app /${path} does not exist (berth status lists all)`, 404, { cause: error });
    throw error;
  }
}

function nothingRuns(app: AppAnswer): string {
  const failure = app.lastTaskFailure;
  const why = failure === null || failure === undefined ? '' : ` (the last one: ${failure.state}: ${failure.message})`;
  return `no instance of ${app.id} runs${why}`;
}

function logsUrl(
  agents: ClusterStatus['agents'],
  task: MarathonTask,
  options: LogsOptions,
  tail: number | undefined,
): string {
  const agent = agents.find(({ id }) => id === task.slaveId) ?? agents.find(({ hostname }) => hostname === task.host);
  if (agent === undefined) throw new ClusterError(`its agent (${task.host}) is not known to the cluster`);
  const host = agent.hostname.includes(':') ? `[${agent.hostname}]` : agent.hostname;
  const query = new URLSearchParams({ stream: options.stream, follow: String(options.follow) });
  if (tail !== undefined) query.set('tail', String(tail));
  return `${agent.scheme}://${host}:${agent.port}/v1/tasks/${encodeURIComponent(task.id)}/logs?${query.toString()}`;
}

/** `web.instance-1f2e3d4c-….._app.2` -> `1f2e3d4c.2`: short, and tells a run from the one before. */
function shortId(taskId: string): string {
  const match = /\.instance-([^.-]+)[^.]*\._app\.(\d+)$/.exec(taskId);
  return match?.[1] === undefined ? taskId.slice(-12) : `${match[1]}.${match[2]}`;
}
