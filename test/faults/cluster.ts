import { healAll } from '../testbed/faults/heal';
import type { ServerNode } from '../testbed/server-node';
import type { Testbed } from '../testbed/testbed';
import { waitFor } from '../support/wait';
import { KEY_ROOT } from '../../src/core/records/paths';
import { LEADER_KEY } from '../../src/io/election/lease-election';

/** What the suites ask of a cluster under faults. Docker is asked through each engine's socket: no fault of the network hides it. */

/** Longest wait for what a cluster does by itself: a guard, not a measure. */
export const PATIENCE_MS = 60_000;

/** Running containers of an app: container id by task id. Throws when a task runs twice. */
export async function runningOf(bed: Testbed, appId: string): Promise<ReadonlyMap<string, string>> {
  const prefix = `${appId.slice(1).replaceAll('/', '_')}.instance-`;
  return new Map([...(await bed.running())].filter(([taskId]) => taskId.startsWith(prefix)));
}

/** Names of the hosts on which the app has running containers, one for each. */
export async function hostsOf(bed: Testbed, appId: string): Promise<string[]> {
  const running = await runningOf(bed, appId);
  return [...(await bed.containers())].flatMap(([host, list]) =>
    list.flatMap(({ id, taskId }) => (running.get(taskId) === id ? [host] : [])),
  );
}

/** Deploys an app and waits until it is settled; see settledAs. */
export async function started(bed: Testbed, app: Record<string, unknown>): Promise<ReadonlyMap<string, string>> {
  await bed.marathon().ok('POST', '/v2/apps', app);
  return settledAs(bed, String(app['id']), Number(app['instances']));
}

/** The app's whole truth: settled on record, and exactly those tasks run. Answers with what runs. */
export async function settledAs(
  bed: Testbed,
  appId: string,
  count: number,
  server = bed.servers.findIndex(({ process }) => process.isRunning),
): Promise<ReadonlyMap<string, string>> {
  return waitFor(
    `${appId} to run ${count} times on record and on the engines`,
    async () => {
      const app = await bed.marathon(server).settled(appId, count, PATIENCE_MS);
      const running = await runningOf(bed, appId);
      const same = running.size === count && app.tasks.every(({ id }) => running.has(id));
      return same ? running : undefined;
    },
    PATIENCE_MS,
  );
}

/** Value of a metric that has one series, as one server tells. */
export async function metricOf(server: ServerNode, token: string, name: string): Promise<number> {
  const answer = await fetch(`${server.url}/metrics`, {
    signal: AbortSignal.timeout(2_000),
    headers: { authorization: `Bearer ${token}` },
  });
  const isSeries = (text: string) => text.startsWith(`${name} `) || text.startsWith(`${name}{`);
  const [line, ...others] = (await answer.text()).split('\n').filter(isSeries);
  if (line === undefined || others.length > 0) throw new Error(`${server.node.name} has no one metric ${name}`);
  return Number(line.slice(line.lastIndexOf(' ') + 1));
}

/** The servers that hold a term, in their own eyes; those that do not answer are left out. */
export async function holders(bed: Testbed, among = bed.servers): Promise<ServerNode[]> {
  const ask = async (server: ServerNode) =>
    server.process.isRunning && (await metricOf(server, bed.token, 'berth_leader').catch(() => 0)) === 1;
  const answers = await Promise.all(among.map(ask));
  return among.filter((_, index) => answers[index]);
}

/** Waits until exactly one of the servers holds a term, and it is not `former`. */
export async function oneHolder(bed: Testbed, former?: ServerNode, among = bed.servers): Promise<ServerNode> {
  return waitFor(
    'exactly one leader',
    async () => {
      const [leader, ...others] = await holders(bed, among);
      return others.length === 0 && leader !== former ? leader : undefined;
    },
    PATIENCE_MS,
  );
}

/** Identity of the present term: create revision of the leader's key. */
export async function termOf(bed: Testbed): Promise<number> {
  const text = await (await bed.etcdLeader()).ctl('get', LEADER_KEY, '-w', 'json');
  const { kvs } = JSON.parse(text) as { kvs?: { create_revision: number }[] };
  if (kvs?.[0] === undefined) throw new Error('nobody leads');
  return kvs[0].create_revision;
}

/** Revisions of everything that a leader writes of agents, tasks and instances, by key: equal when nobody has written. */
export async function recordsOf(bed: Testbed): Promise<ReadonlyMap<string, number>> {
  const leader = await bed.etcdLeader();
  const lists = await Promise.all(
    ['Agent', 'Task', 'Instance'].map((kind) =>
      leader.ctl('get', '--prefix', `${KEY_ROOT}${kind.toLowerCase()}s/`, '--keys-only=false', '-w', 'json'),
    ),
  );
  const entries = lists.flatMap(
    (text) => (JSON.parse(text) as { kvs?: { key: string; mod_revision: number }[] }).kvs ?? [],
  );
  return new Map(entries.map(({ key, mod_revision }) => [Buffer.from(key, 'base64').toString(), mod_revision]));
}

/** Waits until one more look at the records shows what the last one did: what is under way is done. */
export async function quietRecords(bed: Testbed): Promise<ReadonlyMap<string, number>> {
  let last = await recordsOf(bed);
  return waitFor(
    'quiet records',
    async () => {
      const now = await recordsOf(bed);
      const isQuiet = JSON.stringify([...now]) === JSON.stringify([...last]);
      last = now;
      return isQuiet ? now : undefined;
    },
    PATIENCE_MS,
    1_000,
  );
}

/** State on record of the host's agent. */
export async function agentState(bed: Testbed, index: number): Promise<string | undefined> {
  const status = (await bed.marathon().ok('GET', '/v1/status')) as { agents: { hostname: string; state: string }[] };
  return status.agents.find(({ hostname }) => hostname === bed.hosts[index]?.node.address)?.state;
}

export async function untilAgent(bed: Testbed, index: number, state: string): Promise<void> {
  await waitFor(`agent ${index} to be ${state}`, async () => (await agentState(bed, index)) === state, PATIENCE_MS);
}

/** Starts an app anew and removes it: the proof that the cluster takes work. */
export async function takesWork(bed: Testbed, app: Record<string, unknown>, server?: number): Promise<void> {
  const id = String(app['id']);
  const client = bed.marathon(server);
  await waitFor(`${id} to be taken`, async () => client.ok('POST', '/v2/apps', app).then(() => true), PATIENCE_MS);
  await settledAs(bed, id, Number(app['instances']), server);
}

/** Between two tests: faults end, apps go, and nothing that they started is left on any engine. */
export async function cleanSlate(bed: Testbed): Promise<void> {
  await healAll(bed);
  await Promise.all(bed.servers.map((server) => server.ready(PATIENCE_MS)));
  await oneHolder(bed);
  await bed.allActive();
  const client = bed.marathon();
  const { apps } = (await client.ok('GET', '/v2/apps')) as { apps: { id: string }[] };
  for (const { id } of apps) await client.ok('DELETE', `/v2/apps${id}?force=true`);
  for (const { id } of apps) await client.gone(id);
  await waitFor('no orphans', async () => (await bed.running()).size === 0, PATIENCE_MS);
}

/** The last lines of every process of the control plane and of the agents, for whoever reads a failure. */
export function words(bed: Testbed): string {
  return [...bed.servers.map(({ process }) => process), ...bed.hosts.map(({ agent }) => agent)]
    .map((process) => process.lastWords(40))
    .join('\n');
}
