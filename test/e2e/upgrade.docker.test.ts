import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { packageVersion } from '../../src/cli/package-root';
import type { AgentUnderTest, ServerUnderTest } from '../support/cluster';
import type { MarathonApp } from '../support/marathon-client';
import { otherBuild } from '../support/other-build';
import { waitFor } from '../support/wait';
import { Visitors, Writer } from './upgrade-traffic';
import { startWorld, webApp, type World } from './world';

/**
 * What deploy/UPGRADE.md promises, on a real etcd and a real Docker engine: servers and agents of two versions side by side, in
 * both directions, and records that a newer version has written.
 */
jest.setTimeout(300_000);

const NEW_MAIN = resolve(process.cwd(), 'dist/main.js');
const NEW = packageVersion();
const OLD = '0.0.9';
/** The control plane as it was first complete. An upgrade from it must go on working until the next minor version. */
const OLD_COMMIT = '5146e849189e4608af3cf309a5a5b500c12bab6d';
const SETTLE_MS = 90_000;

interface Status {
  readonly version: string;
  readonly agents: readonly { readonly state: string }[];
  readonly corruptRecords: readonly { readonly key: string }[];
}

const statusOf = async (server: ServerUnderTest) => (await server.marathon.ok('GET', '/v1/status')) as Status;

describe('a rolling upgrade', () => {
  let oldMain: string;
  let world: World;
  let web: MarathonApp;
  let containers: ReadonlyMap<string, string>;
  let visitors: Visitors;
  let writer: Writer;
  let changes = 0;

  beforeAll(async () => {
    oldMain = otherBuild(OLD_COMMIT, OLD);
    world = await startWorld({ servers: 3, agents: 2, main: oldMain });
    await world.marathon.ok('POST', '/v2/apps', webApp('/web', { instances: 3 }));
    await world.marathon.ok('POST', '/v2/apps', webApp('/changing', { healthChecks: [] }));
    web = await world.marathon.settled('/web', 3, SETTLE_MS);
    await world.marathon.settled('/changing', 1, SETTLE_MS);
    const all = await world.containers();
    containers = new Map(web.tasks.map(({ id }) => [id, all.get(id) ?? '']));
    visitors = new Visitors(web.tasks);
    writer = new Writer(world.cluster.servers);
  });
  afterAll(async () => {
    await Promise.all([visitors?.leave(), writer?.leave()]);
    await world?.stop();
  });

  const servers = () => world.cluster.servers;
  const followers = async () => {
    const leader = await world.cluster.leader();
    return servers().filter((server) => server !== leader);
  };

  /** Every server sees every agent, reads every record, and changes of apps come about whoever is asked. */
  async function everythingWorks(): Promise<void> {
    for (const server of servers()) {
      const seen = async () => (await statusOf(server)).agents.filter(({ state }) => state === 'active').length === 2;
      await waitFor(`server ${server.index} to see both agents`, seen, SETTLE_MS);
      expect((await statusOf(server)).corruptRecords).toEqual([]);
      changes++;
      await server.marathon.ok('PUT', '/v2/apps/changing', { env: { CHANGE: String(changes) } });
      await server.marathon.settled('/changing', 1, SETTLE_MS);
    }
    await world.marathon.ok('PUT', '/v2/apps/web', { instances: 3 + (changes % 2) });
    await world.marathon.settled('/web', 3 + (changes % 2), SETTLE_MS);
    await writer.nothingLost();
  }

  async function versionsOf(): Promise<{ servers: string[]; agents: string[] }> {
    return {
      servers: await Promise.all(servers().map(async (server) => (await statusOf(server)).version)),
      agents: await Promise.all(world.cluster.agents.map(versionOfAgent)),
    };
  }

  async function move(parts: readonly (ServerUnderTest | AgentUnderTest)[], main: string): Promise<void> {
    for (const part of parts) await part.upgrade(main);
  }

  test('begins with everything old', async () => {
    expect(await versionsOf()).toEqual({ servers: [OLD, OLD, OLD], agents: [OLD, OLD] });
    await everythingWorks();
  });

  test('an agent that is too early works under the old leader', async () => {
    await move(world.cluster.agents.slice(0, 1), NEW_MAIN);
    expect((await versionsOf()).agents).toEqual([NEW, OLD]);
    await everythingWorks();
  });

  test('followers first: servers of two versions under an old leader', async () => {
    const [first, second] = await followers();
    if (first === undefined || second === undefined) throw new Error('there are no followers');
    await move([first], NEW_MAIN);
    await everythingWorks();
    await move([second], NEW_MAIN);
    expect((await statusOf(await world.cluster.leader())).version).toBe(OLD);
    await everythingWorks();
  });

  test('the leader last: a new one leads an old agent', async () => {
    await move([await world.cluster.leader()], NEW_MAIN);
    expect((await versionsOf()).servers).toEqual([NEW, NEW, NEW]);
    await everythingWorks();
  });

  test('then the agents', async () => {
    await move(world.cluster.agents.slice(1), NEW_MAIN);
    expect(await versionsOf()).toEqual({ servers: [NEW, NEW, NEW], agents: [NEW, NEW] });
    await everythingWorks();
  });

  test('and back: old servers and agents read what new ones have written', async () => {
    await move(servers(), oldMain);
    await everythingWorks();
    await move(world.cluster.agents, oldMain);
    expect(await versionsOf()).toEqual({ servers: [OLD, OLD, OLD], agents: [OLD, OLD] });
    await everythingWorks();
  });

  test('nobody has noticed: no request failed, no write was refused or lost, no container was started anew', async () => {
    await Promise.all([visitors.leave(), writer.leave()]);
    await writer.nothingLost();
    process.stderr.write(
      `upgrade and back: ${visitors.count} requests to tasks, ${writer.acknowledged.length} writes, ${changes} rollouts\n`,
    );
    expect(visitors.failures).toEqual([]);
    expect(visitors.count).toBeGreaterThan(100);
    expect(writer.failures).toEqual([]);
    expect(writer.acknowledged.length).toBeGreaterThan(50);
    const now = await world.containers();
    for (const [taskId, id] of containers) expect([taskId, now.get(taskId)]).toEqual([taskId, id]);
    const idle = async () => ((await world.marathon.ok('GET', '/v2/deployments')) as unknown[]).length === 0;
    await waitFor('no rollout to be left', idle, SETTLE_MS);
  });
});

async function versionOfAgent(agent: AgentUnderTest): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${agent.port}/metrics`, { signal: AbortSignal.timeout(5_000) });
  return /^berth_build_info\{(?:.*,)?version="([^"]+)"/m.exec(await answer.text())?.[1] ?? 'not told';
}

describe('records of a newer version', () => {
  const run = promisify(execFile);
  let world: World;

  beforeAll(async () => {
    world = await startWorld({ servers: 2 });
    await world.marathon.ok('POST', '/v2/apps', webApp('/kept', { instances: 2 }));
    await world.marathon.settled('/kept', 2, SETTLE_MS);
  });
  afterAll(async () => {
    await world?.stop();
  });

  async function etcdctl(...args: readonly string[]): Promise<string> {
    const env = { ...process.env, ETCDCTL_API: '3' };
    const { stdout } = await run('etcdctl', [`--endpoints=${world.etcd.endpoint}`, ...args], { env, timeout: 20_000 });
    return stdout;
  }
  const keys = async (kind: string) =>
    (await etcdctl('get', '--prefix', '--keys-only', `/berth/v1/${kind}/`)).split('\n').filter(Boolean);
  const read = async (key: string) => JSON.parse(await etcdctl('get', '--print-value-only', key)) as Json;
  const write = (key: string, value: Json) => etcdctl('put', key, JSON.stringify(value));

  async function rewrite(key: string, change: (value: Json) => Json): Promise<void> {
    await write(key, change(await read(key)));
  }

  test('fields that this version does not know survive what it writes', async () => {
    const marked = (
      await Promise.all(['apps', 'appversions', 'instances', 'tasks', 'agents', 'frameworks'].map(keys))
    ).flat();
    expect(marked.length).toBeGreaterThan(5);
    for (const key of marked) await rewrite(key, withFuture);
    // Spec and status of app, instances, tasks and agent are written by users, master and orchestrator of this version.
    await world.marathon.ok('PUT', '/v2/apps/kept', { instances: 3 });
    await world.marathon.settled('/kept', 3, SETTLE_MS);
    await (await world.cluster.leader()).restart();
    for (const agent of world.cluster.agents) await agent.restart();
    await world.cluster.ready();
    await world.marathon.ok('PUT', '/v2/apps/kept', { instances: 4 });
    await world.marathon.settled('/kept', 4, SETTLE_MS);

    const lost = await Promise.all(
      marked.map(async (key) => lostFuture(await read(key)).map((where) => `${key} ${where}`)),
    );
    expect(lost.flat()).toEqual([]);
  });

  test('a record whose form is newer is set aside: nothing is done to what it stands for', async () => {
    const containers = await world.containers();
    const [app] = await keys('apps');
    const [instance] = await keys('instances/kept');
    const [task] = await keys('tasks');
    if (app === undefined || instance === undefined || task === undefined) throw new Error('records are missing');
    const saved = new Map(await Promise.all([app, instance, task].map(async (key) => [key, await read(key)] as const)));
    await rewrite(app, (value) => ({ ...value, spec: { ...part(value, 'spec'), killSelection: 'WISEST_FIRST' } }));
    await rewrite(instance, (value) => ({ ...value, spec: { ...part(value, 'spec'), goal: 'Hibernating' } }));
    await rewrite(task, (value) => ({ ...value, status: { ...part(value, 'status'), state: 'TASK_PONDERING' } }));
    await write('/berth/v1/volumes/of-the-future', { kind: 'Volume' });

    const setAside = async (server: ServerUnderTest) => {
      const { corruptRecords } = await statusOf(server);
      return corruptRecords.map(({ key }) => key).toSorted();
    };
    const expected = [app, instance, task].toSorted();
    const all = async () =>
      (await Promise.all(world.cluster.servers.map(setAside))).every((seen) => same(seen, expected));
    await waitFor('all servers to name them', all);

    // A new term builds its state from etcd alone, and agents come back to it with their tasks.
    await (await world.cluster.leader()).restart();
    for (const agent of world.cluster.agents) await agent.restart();
    await world.cluster.ready();
    await world.marathon.ok('POST', '/v2/apps', webApp('/other'));
    await world.marathon.settled('/other', 1, SETTLE_MS);
    const now = await world.containers();
    for (const [taskId, id] of containers) expect([taskId, now.get(taskId)]).toEqual([taskId, id]);
    expect(now.size).toBe(containers.size + 1);
    expect(await setAside(await world.cluster.leader())).toEqual(expected);

    for (const [key, value] of saved) await write(key, value);
    await waitFor('nothing to be set aside', async () => (await setAside(await world.cluster.leader())).length === 0);
    await world.marathon.settled('/kept', 4, SETTLE_MS);
    const after = await world.containers();
    for (const [taskId, id] of containers) expect([taskId, after.get(taskId)]).toEqual([taskId, id]);
    expect(await keys('volumes')).toEqual(['/berth/v1/volumes/of-the-future']);
  });

  test('a checkpoint whose form is newer is set aside: its container runs on, and is not started a second time', async () => {
    const containers = await world.containers();
    const [agent] = world.cluster.agents;
    if (agent === undefined) throw new Error('there is no agent');
    await agent.process.kill('SIGTERM');
    const folder = join(agent.workDir, 'checkpoints');
    const task = [...containers.keys()].find((id) => id.startsWith('kept')) ?? '';
    const file = readdirSync(folder).find((name) => readFileSync(join(folder, name), 'utf8').includes(task)) ?? '';
    const { name, text } = JSON.parse(readFileSync(join(folder, file), 'utf8')) as { name: string; text: string };
    const newer = JSON.stringify({ ...(JSON.parse(text) as Json), version: 2 });
    writeFileSync(join(folder, file), JSON.stringify({ name, text: newer }));
    await agent.restart();
    await world.cluster.ready();

    await waitFor('the checkpoint to be set aside', () => readdirSync(join(folder, 'set-aside')).length > 0);
    await world.marathon.ok('PUT', '/v2/apps/other', { instances: 2 });
    await world.marathon.settled('/other', 2, SETTLE_MS);
    await world.marathon.settled('/kept', 4, SETTLE_MS);
    const after = await world.containers();
    for (const [taskId, id] of containers) expect([taskId, after.get(taskId)]).toEqual([taskId, id]);
    expect(after.size).toBe(containers.size + 1);
  });
});

interface Json {
  readonly [name: string]: unknown;
}

function part(value: Json, name: string): Json {
  return (value[name] ?? {}) as Json;
}

/** With a field of the future in metadata, spec and status, and in every object of the spec. */
function withFuture(value: Json): Json {
  return {
    ...value,
    future: 'record',
    metadata: { ...part(value, 'metadata'), future: 'metadata' },
    ...('spec' in value ? { spec: { ...part(value, 'spec'), future: 'spec' } } : {}),
    ...('status' in value ? { status: { ...part(value, 'status'), future: 'status' } } : {}),
  };
}

function lostFuture(value: Json): string[] {
  const parts = ['metadata', 'spec', 'status'].filter((name) => name in value);
  return [
    ...(value['future'] === undefined ? ['record'] : []),
    ...parts.filter((name) => part(value, name)['future'] === undefined),
  ];
}

function same(left: readonly string[], right: readonly string[]): boolean {
  return JSON.stringify(left) === JSON.stringify(right);
}
