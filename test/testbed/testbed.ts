import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { importBusybox } from '../support/images';
import { isAlive, mountsBelow, processesOf, signal, unmountBelow } from '../support/leftovers';
import type { MarathonClient } from '../support/marathon-client';
import { Proxy } from '../support/proxy';
import { waitFor } from '../support/wait';
import { AgentHost, type FoundContainer } from './agent-host';
import { EtcdMember } from './etcd-member';
import { BedNetwork, type BedNode } from './network';
import { requirePrograms } from './programs';
import { Registry } from './registry';
import { ServerNode } from './server-node';

export interface TestbedOptions {
  /** Hosts with an engine and an agent; 5 by default. */
  readonly agents?: number;
  /** 3 by default. */
  readonly servers?: number;
  /** Members; 3 by default. */
  readonly etcd?: number;
  readonly serverFlags?: readonly string[];
  readonly agentFlags?: readonly string[];
  readonly etcdArgs?: readonly string[];
  /** Servers and agents run under libfaketime, so that `clockJump` works on them. */
  readonly faketime?: boolean;
  /** Servers reach etcd through proxies of the runner: `bed.etcdProxies`. They end with the runner. */
  readonly etcdProxy?: boolean;
  /** Called for each host before its engine starts, e.g. to mount a small disk on its dataRoot. */
  readonly prepareHost?: (host: AgentHost) => void;
  /** Private registry; true by default. */
  readonly registry?: boolean;
  /** The bed stays when the runner ends; for the command line. */
  readonly keep?: boolean;
}

/** Image that every engine of a bed has: busybox with a shell and an HTTP server. */
export const IMAGE = 'berth/test:1';
/** The same in the registry, as `<bed.registry.host>/berth/test:1`. */
const REGISTRY_IMAGE = 'berth/test:1';

const PREFIX = 'berth-bed-';
const SLOTS = 200;
const FAKETIME = ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu'].map(
  (folder) => `${folder}/faketime/libfaketime.so.1`,
);

/** What another program needs to know of a bed: `bed.json`. */
interface BedFile {
  readonly owner: number;
  readonly options: TestbedOptions;
  readonly token: string;
}

/**
 * A real cluster of several machines on one: etcd members, servers and Docker hosts, each in a network namespace of its own, joined by a switch.
 * Needs root. Several beds can be up at once; each takes a free slot, which is the third byte of its addresses.
 */
export class Testbed {
  readonly network: BedNetwork;
  readonly etcd: readonly EtcdMember[];
  readonly servers: readonly ServerNode[];
  readonly hosts: readonly AgentHost[];
  readonly registry: Registry;
  /** Of server i to member j, when `etcdProxy` was asked for. */
  etcdProxies: readonly (readonly Proxy[])[] = [];

  private constructor(
    readonly slot: number,
    readonly dir: string,
    readonly options: TestbedOptions,
    readonly token: string,
    proxies: readonly (readonly Proxy[])[] = [],
  ) {
    const network = new BedNetwork(slot, dir);
    this.network = network;
    this.etcdProxies = proxies;
    const etcdNodes = nodes(network, 'e', 11, options.etcd ?? 3);
    const serverNodes = nodes(network, 's', 21, options.servers ?? 3);
    const hostNodes = nodes(network, 'a', 31, options.agents ?? 5);
    this.etcd = etcdNodes.map((node) => new EtcdMember(node, etcdNodes, options.etcdArgs ?? []));
    this.registry = new Registry(network.runnerAddress, join(dir, 'registry'));
    const tokenFile = join(dir, 'token');
    this.servers = serverNodes.map(
      (node, index) =>
        new ServerNode(node, {
          etcdEndpoints: proxies[index]?.map(({ endpoint }) => endpoint) ?? this.etcd.map(({ endpoint }) => endpoint),
          tokenFile,
          token,
          flags: options.serverFlags ?? [],
          env: this.clockEnv(node),
        }),
    );
    this.hosts = hostNodes.map(
      (node) =>
        new AgentHost(node, {
          slot,
          masters: this.servers.map(({ mesosAddress }) => mesosAddress),
          tokenFile,
          dockerConfig: options.registry === false ? undefined : this.registry.dockerConfig,
          registry: this.registry.host,
          flags: options.agentFlags ?? [],
          env: this.clockEnv(node),
        }),
    );
  }

  /** Brings a whole cluster up and waits until every server is ready and every agent is active. Leaves nothing when it fails. */
  static async up(options: TestbedOptions = {}): Promise<Testbed> {
    requirePrograms(options);
    await sweepOrphans();
    const { slot, dir } = takeSlot();
    const proxies = options.etcdProxy === true ? await startProxies(slot, options) : [];
    const token = randomBytes(24).toString('hex');
    const bed = new Testbed(slot, dir, options, token, proxies);
    const { prepareHost: _function, ...data } = options;
    const file: BedFile = { owner: options.keep === true ? 0 : process.pid, options: data, token };
    writeFileSync(join(dir, 'bed.json'), JSON.stringify(file));
    try {
      await bed.start();
      return bed;
    } catch (error) {
      const words = bed.processes().map((process) => process.lastWords());
      await bed.down();
      throw new Error(`the test bed did not come up: ${String(error)}\n${words.join('\n')}`, { cause: error });
    }
  }

  /** The beds that are up, by slot. */
  static slots(): number[] {
    return readdirSync(tmpdir())
      .filter((name) => name.startsWith(PREFIX) && existsSync(join(tmpdir(), name, 'bed.json')))
      .map((name) => Number(name.slice(PREFIX.length)))
      .toSorted((a, b) => a - b);
  }

  /** A bed that another program has brought up. */
  static attach(slot: number): Testbed {
    const dir = folderOf(slot);
    const file = join(dir, 'bed.json');
    if (!existsSync(file)) throw new Error(`no test bed ${slot} is up (npm run testbed -- up)`);
    const { options, token } = JSON.parse(readFileSync(file, 'utf8')) as BedFile;
    return new Testbed(slot, dir, options, token);
  }

  /** Everything that runs, in the order of its start. */
  processes() {
    return [
      ...this.etcd.map(({ process }) => process),
      this.registry.process,
      ...this.hosts.flatMap(({ containerd, dockerd }) => [containerd, dockerd]),
      ...this.servers.map(({ process }) => process),
      ...this.hosts.map(({ agent }) => agent),
    ];
  }

  nodes(): readonly BedNode[] {
    return this.network.nodes;
  }

  /** A client of server `index`, or of the first that runs. */
  marathon(index?: number): MarathonClient {
    const server = index === undefined ? this.servers.find(({ process }) => process.isRunning) : this.servers[index];
    if (server === undefined) throw new Error('no server runs');
    return server.marathon;
  }

  /** Waits for the server that leads, as the running servers see it. */
  async leader(timeoutMs = 30_000): Promise<ServerNode> {
    const ask = async (from: ServerNode) => {
      const answer = await fetch(`${from.url}/v2/leader`, {
        signal: AbortSignal.timeout(2_000),
        headers: { authorization: `Bearer ${this.token}` },
      });
      const { leader } = (await answer.json()) as { leader?: string };
      return this.servers.find(({ url, process }) => url === `http://${leader}` && process.isRunning);
    };
    const first = async () => {
      const running = this.servers.filter(({ process }) => process.isRunning);
      const answers = await Promise.all(running.map((server) => ask(server).catch(() => undefined)));
      return answers.find((leader) => leader !== undefined);
    };
    return waitFor('a leader', first, timeoutMs);
  }

  async etcdLeader(): Promise<EtcdMember> {
    return waitFor('a leader of etcd', async () => {
      const seen = await Promise.all(
        this.etcd.map(async (member) => ({ member, status: await member.status().catch(() => undefined) })),
      );
      return seen.find(({ status }) => status !== undefined && status.id === status.leader)?.member;
    });
  }

  async activeAgents(): Promise<number> {
    const status = (await this.marathon().ok('GET', '/v1/status')) as { agents: { state: string }[] };
    return status.agents.filter(({ state }) => state === 'active').length;
  }

  async allActive(count = this.hosts.length, timeoutMs = 60_000): Promise<void> {
    await waitFor(`${count} active agents`, async () => (await this.activeAgents()) === count, timeoutMs);
  }

  /** Containers with our labels on every engine that answers, by host name. */
  async containers(): Promise<Map<string, FoundContainer[]>> {
    const lists = await Promise.all(
      this.hosts.map(async (host) => [host.node.name, await host.containers().catch(() => [])] as const),
    );
    return new Map(lists);
  }

  /** Ids of running containers by task id, on all hosts. Throws when one task has two. */
  async running(): Promise<Map<string, string>> {
    const found = new Map<string, string>();
    for (const { taskId, id, state } of [...(await this.containers()).values()].flat()) {
      if (state !== 'running') continue;
      if (found.has(taskId)) throw new Error(`task ${taskId} has two running containers`);
      found.set(taskId, id);
    }
    return found;
  }

  /** Ends everything and removes every trace. Safe to call twice, and on a bed that has come up in part. */
  async down(): Promise<void> {
    await Promise.all(this.servers.map(({ process }) => process.kill()));
    await Promise.all(this.hosts.map((host) => host.stop()));
    await Promise.all([...this.etcd.map(({ process }) => process.kill()), this.registry.process.kill()]);
    for (const { netns } of this.nodes()) for (const pid of pidsIn(netns)) signal(pid, 'SIGKILL');
    for (const pid of processesOf(`${this.dir}/`)) signal(pid, 'SIGKILL');
    await waitFor('the last processes to end', () => processesOf(`${this.dir}/`).length === 0, 10_000, 20);
    await Promise.all(this.etcdProxies.flat().map((proxy) => proxy.close()));
    this.network.down();
    unmountBelow(this.dir);
    rmSync(this.dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }

  /** What a bed that is down has left behind; empty when all is well. */
  leftovers(): string[] {
    return [
      ...processesOf(`${this.dir}/`).map((pid) => `process ${pid}`),
      ...mountsBelow(this.dir).map((point) => `mount ${point}`),
      ...this.network.leftovers(),
      ...(existsSync(this.dir) ? [`folder ${this.dir}`] : []),
    ];
  }

  private async start(): Promise<void> {
    writeFileSync(join(this.dir, 'token'), `${this.token}\n`, { mode: 0o600 });
    this.network.up();
    for (const node of this.nodes()) writeFileSync(clockFile(node), '+0');
    for (const member of this.etcd) member.start();
    const registry = this.options.registry === false ? Promise.resolve() : this.registry.start();
    const engines = this.hosts.map(async (host) => {
      this.options.prepareHost?.(host);
      await host.startEngine();
      await importBusybox(host.dockerSocket, IMAGE);
    });
    await Promise.all(this.etcd.map((member) => member.ready()));
    for (const server of this.servers) server.start();
    await Promise.all([registry, ...engines]);
    for (const host of this.hosts) host.agent.start();
    const [first] = this.hosts;
    if (this.options.registry !== false && first !== undefined)
      await this.registry.push(first.docker, IMAGE, REGISTRY_IMAGE);
    await Promise.all(this.servers.map((server) => server.ready()));
    if (this.servers.length > 0) await this.allActive();
  }

  private clockEnv(node: BedNode): Readonly<Record<string, string>> {
    if (this.options.faketime !== true) return {};
    const library = FAKETIME.find((path) => existsSync(path)) ?? 'libfaketime.so.1';
    return {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: clockFile(node),
      FAKETIME_NO_CACHE: '1',
      DONT_FAKE_MONOTONIC: '1',
    };
  }
}

/** Where the fake clock of a node is set: seconds to add, with their sign. */
export function clockFile(node: BedNode): string {
  return join(node.dir, 'clock');
}

function nodes(network: BedNetwork, letter: string, first: number, count: number): BedNode[] {
  return Array.from({ length: count }, (_, index) => network.node(`${letter}${index + 1}`, first + index));
}

function folderOf(slot: number): string {
  return join(tmpdir(), `${PREFIX}${slot}`);
}

/** mkdir is atomic: two runners cannot take the same slot. */
function takeSlot(): { readonly slot: number; readonly dir: string } {
  for (let slot = 1; slot <= SLOTS; slot++) {
    if (existsSync(`/run/netns/bb${slot}-sw`)) continue;
    try {
      mkdirSync(folderOf(slot));
      return { slot, dir: folderOf(slot) };
    } catch {
      // Taken.
    }
  }
  throw new Error(`no slot for a test bed is free: ${tmpdir()}/${PREFIX}1 to ${SLOTS}`);
}

/** A runner that was cut off could not take its bed down: the next one does. */
async function sweepOrphans(): Promise<void> {
  for (const slot of Testbed.slots()) {
    const { owner } = JSON.parse(readFileSync(join(folderOf(slot), 'bed.json'), 'utf8')) as BedFile;
    if (owner !== 0 && !isAlive(owner)) await Testbed.attach(slot).down();
  }
}

async function startProxies(slot: number, options: TestbedOptions): Promise<Proxy[][]> {
  // The runner's address exists only later: the proxies listen on all, and are reached by it.
  const members = Array.from({ length: options.etcd ?? 3 }, (_, index) => `http://10.77.${slot}.${11 + index}:2379`);
  const server = () => Promise.all(members.map((target) => Proxy.start(target, '0.0.0.0', `10.77.${slot}.254`)));
  return Promise.all(Array.from({ length: options.servers ?? 3 }, server));
}

function pidsIn(netns: string): number[] {
  try {
    const text = execFileSync('ip', ['netns', 'pids', netns], {
      encoding: 'utf8',
      timeout: 5_000,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return text.split('\n').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}
