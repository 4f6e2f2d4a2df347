import { webApp } from '../e2e/world';
import type { Answer, MarathonApp } from '../support/marathon-client';
import { waitFor } from '../support/wait';
import type { ServerNode } from '../testbed/server-node';
import type { Testbed } from '../testbed/testbed';

/** What a server says of itself under `/readyz`. */
export async function readyz(server: ServerNode): Promise<{ readonly status: number; readonly text: string }> {
  const response = await fetch(`${server.url}/readyz`, { signal: AbortSignal.timeout(5_000) });
  return { status: response.status, text: await response.text() };
}

/** One sample of `/metrics`, all label sets added up; undefined: there is none. */
export async function metric(server: ServerNode, name: string): Promise<number | undefined> {
  const text = (await server.marathon.ok('GET', '/metrics')) as string;
  const lines = text.split('\n').filter((line) => new RegExp(`^${name}[ {]`).test(line));
  if (lines.length === 0) return undefined;
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}

/** An app whose tasks answer with their id, running everywhere. */
export async function deploy(bed: Testbed, id: string, instances: number): Promise<MarathonApp> {
  await bed.marathon().ok('POST', '/v2/apps', webApp(id, { instances }));
  return bed.marathon().settled(id, instances);
}

/** Removes these apps and all that runs of them, on record or not: an app that comes back takes up what runs. */
export async function removeApps(bed: Testbed, ids: readonly string[]): Promise<void> {
  await allWell(bed);
  const client = bed.marathon();
  for (const id of ids) {
    await client.call('POST', '/v2/apps?force=true', webApp(id));
    await client.call('DELETE', `/v2/apps${id}?force=true`);
  }
  for (const id of ids) await client.gone(id);
  await waitFor('nothing to run', async () => (await bed.running()).size === 0);
}

/** Every task of the app answers over the network with its own id. */
export async function expectServing(app: MarathonApp): Promise<void> {
  for (const { id, host, ports } of app.tasks) {
    const answer = await fetch(`http://${host}:${ports[0]}/`, { signal: AbortSignal.timeout(5_000) });
    expect((await answer.text()).trim()).toBe(id);
  }
}

/** Containers that ran before and do not any more, by task id. */
export async function lostSince(bed: Testbed, before: ReadonlyMap<string, string>): Promise<string[]> {
  const now = await bed.running();
  return [...before].filter(([taskId, id]) => now.get(taskId) !== id).map(([taskId]) => taskId);
}

/** How often the servers have written a message. */
export function said(bed: Testbed, message: string): number {
  const quoted = JSON.stringify(message);
  return bed.servers.reduce((sum, { process }) => sum + process.log().split(quoted).length - 1, 0);
}

/** Repeats a write until it is taken, as any client should; resolves with what came before that. */
export async function untilTaken(
  call: () => Promise<Answer>,
  timeoutMs = 60_000,
): Promise<{ readonly answer: Answer; readonly refused: readonly Answer[] }> {
  const refused: Answer[] = [];
  const answer = await waitFor(
    'a write to be taken',
    async () => {
      const tried = await call();
      if (tried.status < 300) return tried;
      refused.push(tried);
      return undefined;
    },
    timeoutMs,
    100,
  );
  return { answer, refused };
}

/** Every server is ready and all agents are there. */
export async function allWell(bed: Testbed, timeoutMs = 60_000): Promise<void> {
  await Promise.all(bed.servers.map((server) => server.ready(timeoutMs)));
  await bed.allActive(bed.hosts.length, timeoutMs);
}

/** `/v1/status`, as far as these tests look at it. */
export interface Status {
  readonly etcd: { readonly wentBack: readonly { readonly from: number; readonly to: number }[] };
  readonly orphanedTasks: readonly { readonly id: string; readonly missing: string }[];
}

export async function statusOf(server: ServerNode): Promise<Status> {
  return (await server.marathon.ok('GET', '/v1/status')) as Status;
}

/** Waits until the servers show exactly these tasks as having no owner on record. */
export async function orphansAre(bed: Testbed, taskIds: readonly string[], timeoutMs = 60_000): Promise<void> {
  const wanted = [...taskIds].toSorted().join();
  await waitFor(
    `the tasks without owner to be ${wanted}`,
    async () => {
      const all = await Promise.all(bed.servers.map(statusOf));
      return all.every(({ orphanedTasks }) => orphanedTasks.map(({ id }) => id).join() === wanted);
    },
    timeoutMs,
    200,
  );
}

/** Looks again and again, for so long, that every container of before still runs. */
export async function holdsFor(bed: Testbed, before: ReadonlyMap<string, string>, ms: number): Promise<void> {
  const endMs = performance.now() + ms;
  while (performance.now() < endMs) {
    expect(await lostSince(bed, before)).toEqual([]);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

/** Messages of events with this reason, as etcd has them. */
export async function events(bed: Testbed, reason: string): Promise<string[]> {
  const lines = (await bed.etcd[0]?.ctl('get', '--prefix', '--print-value-only', '/berth/v1/events/'))?.split('\n');
  const all = (lines ?? []).filter(Boolean).map((line) => JSON.parse(line) as { reason: string; message: string });
  return all.filter((event) => event.reason === reason).map(({ message }) => message);
}
