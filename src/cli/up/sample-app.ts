import { textOf } from '../error-text';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import {
  appAnswerSchema,
  queueAnswerSchema,
  statusSchema,
  type AppAnswer,
  type MarathonTask,
} from '../cluster-answers';
import { ClusterError, type ClusterClient } from '../cluster-client';
import { packageRoot } from '../package-root';
import { waitFor } from '../wait';
import { StepFailure } from './failure';

const APP_PATH = '/v2/apps/hello';
/** Milliseconds one instance gets to answer. */
const ANSWER_MS = 5_000;

/** An instance of the sample and what it said. */
export interface SampleAnswer {
  readonly address: string;
  readonly answer: string;
}

/** Resolves once the master has an agent that takes tasks. Throws StepFailure. */
export async function waitForAgent(
  cluster: ClusterClient,
  timeoutMs: number,
  logFile: string,
): Promise<{ readonly said: string }> {
  const found = await waitFor(timeoutMs, async () => {
    const { agents } = await asked(() => cluster.get('/v1/status', statusSchema));
    return agents.find((agent) => agent.state === 'active');
  });
  if (found === undefined)
    throw new StepFailure('agent', `did not register with the server within ${timeoutMs / 1000} s`, { logFile });
  return { said: `${found.hostname} offers ${found.resources.cpus ?? '?'} CPUs and ${found.resources.mem ?? '?'} MB` };
}

/**
 * The sample app running, healthy and answering in full; deployed first if the cluster does not have it. After a restart the
 * records tell of tasks that the agent has not looked for yet, so only the answers count. Throws StepFailure.
 */
export async function ensureSampleApp(
  cluster: ClusterClient,
  timeoutMs: number,
  logFile: string,
): Promise<{ readonly said: string; readonly answers: readonly SampleAnswer[] }> {
  const before = await asked(() => readApp(cluster));
  if (before === undefined) await deploy(cluster);
  let last = before;
  let silence: StepFailure | undefined;
  const complete = await waitFor(timeoutMs, async () => {
    last = (await asked(() => readApp(cluster))) ?? last;
    if (last === undefined || !isComplete(last)) return undefined;
    try {
      return { app: last, answers: await askInstances(last.tasks) };
    } catch (error) {
      if (!(error instanceof StepFailure)) throw error;
      silence = error;
      return undefined;
    }
  });
  if (complete === undefined) throw silence ?? (await incomplete(cluster, last, timeoutMs, logFile));
  const said = `${complete.app.tasksHealthy} of ${complete.app.instances} instances running and healthy`;
  return { said: before === undefined ? `deployed, ${said}` : `already deployed, ${said}`, answers: complete.answers };
}

/** What every instance says to a real HTTP request. Throws StepFailure if one does not answer. */
async function askInstances(tasks: readonly MarathonTask[]): Promise<readonly SampleAnswer[]> {
  return Promise.all(tasks.filter((task) => task.ports[0] !== undefined).map(askInstance));
}

async function askInstance(task: MarathonTask): Promise<SampleAnswer> {
  const address = `${task.host}:${task.ports[0]}`;
  try {
    const answer = await fetch(`http://${address}/`, { signal: AbortSignal.timeout(ANSWER_MS) });
    const text = (await answer.text()).trim();
    if (answer.ok) return { address, answer: text };
    throw new Error(`HTTP ${answer.status}`);
  } catch (error) {
    const why = textOf(error);
    throw new StepFailure('sample app', `instance ${task.id} does not answer on http://${address}/ (${why})`, {
      advice: 'does Docker publish ports on this machine? `iptables -t nat -L DOCKER -n` shows its rules',
      cause: error,
    });
  }
}

async function deploy(cluster: ClusterClient): Promise<void> {
  const definition = await readFile(join(packageRoot(), 'deploy', 'examples', 'hello.json'), 'utf8');
  try {
    await cluster.put(APP_PATH, definition);
  } catch (error) {
    throw new StepFailure('sample app', textOf(error), { cause: error });
  }
}

async function readApp(cluster: ClusterClient): Promise<AppAnswer | undefined> {
  try {
    return (await cluster.get(APP_PATH, appAnswerSchema)).app;
  } catch (error) {
    if (error instanceof ClusterError && error.status === 404) return undefined;
    throw error;
  }
}

function isComplete(app: AppAnswer): boolean {
  return app.deployments.length === 0 && app.tasksRunning >= app.instances && app.tasksHealthy >= app.instances;
}

async function incomplete(
  cluster: ClusterClient,
  app: AppAnswer | undefined,
  timeoutMs: number,
  logFile: string,
): Promise<StepFailure> {
  const counts =
    app === undefined ? 'not there' : `${app.tasksRunning} running, ${app.tasksHealthy} healthy of ${app.instances}`;
  const failure = app?.lastTaskFailure;
  const reasons = [
    ...(failure === null || failure === undefined ? [] : [`last failure: ${failure.state}: ${failure.message}`]),
    ...(await waitingReasons(cluster)),
  ];
  return new StepFailure('sample app', [`${counts} after ${timeoutMs / 1000} s`, ...reasons].join('; '), {
    logFile,
    advice: '`berth status` and `berth logs /hello --stderr` may tell more',
  });
}

/** Why instances of the sample wait, as /v2/queue tells it. Says nothing when it cannot be asked. */
async function waitingReasons(cluster: ClusterClient): Promise<string[]> {
  const answer = await cluster.get('/v2/queue', queueAnswerSchema).catch(() => ({ queue: [] }));
  return z
    .array(z.string())
    .parse(
      answer.queue.flatMap((item) => [
        ...(item.message === undefined ? [] : [item.message]),
        ...(item.processedOffersSummary?.rejectSummaryLastOffers ?? [])
          .filter(({ declined }) => declined > 0)
          .map(({ reason, declined }) => `${declined} offers refused for ${reason}`),
      ]),
    );
}

/** A server that does not answer ends the wait: its process is watched elsewhere. */
async function asked<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    throw new StepFailure('server', textOf(error), { cause: error });
  }
}
