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
  const response = await fetch(`${server.url}/metrics`, { signal: AbortSignal.timeout(5_000) });
  const lines = (await response.text()).split('\n').filter((line) => new RegExp(`^${name}[ {]`).test(line));
  if (lines.length === 0) return undefined;
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}

/** An app whose tasks answer with their id, running everywhere. */
export async function deploy(bed: Testbed, id: string, instances: number): Promise<MarathonApp> {
  await bed.marathon().ok('POST', '/v2/apps', webApp(id, { instances }));
  return bed.marathon().settled(id, instances);
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
