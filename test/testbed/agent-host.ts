import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import Docker from 'dockerode';
import { killCgroup, processesOf, removeCgroups, signal } from '../support/leftovers';
import { waitFor } from '../support/wait';
import { BedProcess } from './bed-process';
import type { BedNode } from './network';

const MAIN = resolve(process.cwd(), 'dist/main.js');
const START_MS = 30_000;
const CALL_MS = 15_000;
const AGENT_PORT = 5051;

/** What each agent of a bed offers. */
export const OFFERED = 'cpus:8;mem:4096;disk:8000;ports:[31000-31999]';

export interface AgentSetup {
  readonly slot: number;
  readonly masters: readonly string[];
  readonly tokenFile: string;
  /** Logins; undefined: none. */
  readonly dockerConfig: string | undefined;
  readonly registry: string;
  readonly flags: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** A container with our labels, as its engine tells. */
export interface FoundContainer {
  readonly id: string;
  readonly taskId: string;
  readonly state: string;
  readonly name: string;
}

/** A node with containerd, dockerd (live-restore on) and a `berth agent`. */
export class AgentHost {
  readonly containerd: BedProcess;
  readonly dockerd: BedProcess;
  readonly agent: BedProcess;
  readonly docker: Docker;
  readonly dockerSocket: string;
  readonly workDir: string;
  /** Docker's own data; mount something here before the start, e.g. a small disk. */
  readonly dataRoot: string;
  private readonly cgroup: string;

  constructor(
    readonly node: BedNode,
    private readonly setup: AgentSetup,
  ) {
    const { dir, netns, name, address } = node;
    this.dockerSocket = join(dir, 'docker.sock');
    this.workDir = join(dir, 'work');
    this.dataRoot = join(dir, 'data');
    this.cgroup = `/berth-bed-${setup.slot}-${name}`;
    this.docker = new Docker({ socketPath: this.dockerSocket, timeout: CALL_MS });
    const files = (program: string) => ({ logFile: join(dir, `${program}.log`), pidFile: join(dir, `${program}.pid`) });
    this.containerd = new BedProcess(`containerd ${name}`, {
      netns,
      ...files('containerd'),
      command: ['containerd', '--config', join(dir, 'containerd.toml')],
    });
    this.dockerd = new BedProcess(`dockerd ${name}`, {
      netns,
      hostname: name,
      ...files('dockerd'),
      command: [
        ...['dockerd', '--containerd', join(dir, 'ctd', 'c.sock'), '--config-file', join(dir, 'daemon.json')],
        ...['--data-root', this.dataRoot, '--exec-root', join(dir, 'exec'), '-H', `unix://${this.dockerSocket}`],
        ...['-p', join(dir, 'docker.pid'), '--bip', '172.30.1.1/24', '--cgroup-parent', this.cgroup],
        ...['--storage-driver', 'overlay2', '--ip6tables=false'],
      ],
    });
    this.agent = new BedProcess(`agent ${name}`, {
      netns,
      ...files('agent'),
      env: setup.env,
      command: [
        ...[process.execPath, MAIN, 'agent', `--master=${setup.masters.join(',')}`, `--listen=${address}`],
        ...[`--hostname=${address}`, `--docker-socket=${this.dockerSocket}`, `--work-dir=${this.workDir}`],
        `--token-file=${setup.tokenFile}`,
        ...(setup.dockerConfig === undefined ? [] : [`--docker-config=${setup.dockerConfig}`]),
        ...[`--resources=${OFFERED}`, `--attributes=host:${name}`, ...setup.flags],
      ],
    });
  }

  /** Where the agent's own HTTP face is. */
  get agentUrl(): string {
    return `http://${this.node.address}:${AGENT_PORT}`;
  }

  /** Starts the engine and waits until it answers. */
  async startEngine(options: { readonly liveRestore?: boolean } = {}): Promise<void> {
    const { dir } = this.node;
    for (const folder of [this.dataRoot, join(dir, 'exec'), join(dir, 'ctd'), this.workDir])
      mkdirSync(folder, { recursive: true });
    writeFileSync(join(dir, 'containerd.toml'), containerdConfig(join(dir, 'ctd')));
    // By address, so that a proxy in front of the registry is trusted, too.
    const registryAddress = `${this.setup.registry.split(':')[0]}/32`;
    writeFileSync(
      join(dir, 'daemon.json'),
      JSON.stringify({ 'live-restore': options.liveRestore ?? true, 'insecure-registries': [registryAddress] }),
    );
    await this.startContainerd();
    await this.startDockerd();
  }

  async startContainerd(): Promise<void> {
    const socket = join(this.node.dir, 'ctd', 'c.sock');
    if (this.containerd.isRunning) return;
    rmSync(socket, { force: true });
    this.containerd.start();
    await waitFor(`containerd of ${this.node.name}`, () => existsSync(socket), START_MS, 20);
  }

  async startDockerd(): Promise<void> {
    // A killed dockerd leaves its pid file, and the next one believes it even when the process is a zombie.
    if (!this.dockerd.isRunning) rmSync(join(this.node.dir, 'docker.pid'), { force: true });
    this.dockerd.start();
    await this.engineReady();
  }

  async engineReady(timeoutMs = START_MS): Promise<void> {
    const ping = async () => (await this.docker.ping().catch(() => undefined)) !== undefined;
    await waitFor(`dockerd of ${this.node.name}: ${this.dockerd.lastWords(3)}`, ping, timeoutMs, 20);
  }

  /** All containers that Berth has made on this engine, running or not. */
  async containers(): Promise<FoundContainer[]> {
    const list = await this.docker.listContainers({ all: true, filters: { label: ['MESOS_TASK_ID'] } });
    return list.map(({ Id, Labels, State, Names }) => ({
      id: Id,
      taskId: Labels['MESOS_TASK_ID'] ?? '',
      state: State,
      name: (Names[0] ?? '').replace('/', ''),
    }));
  }

  /** Ends agent, containers and engine. The order keeps dockerd from waiting for containers that nobody ends. */
  async stop(): Promise<void> {
    await this.agent.kill();
    await Promise.all([this.dockerd.kill(), this.containerd.kill()]);
    for (const pid of processesOf(`${this.node.dir}/`)) signal(pid, 'SIGKILL');
    const none = () => processesOf(`${this.node.dir}/`).length === 0;
    await waitFor(`the shims of ${this.node.name} to end`, none, START_MS, 20);
    killCgroup(this.cgroup);
    await waitFor(`the cgroups of ${this.node.name} to go`, () => removeCgroups(this.cgroup), START_MS, 20);
  }
}

function containerdConfig(at: string): string {
  return `version = 2
root = "${at}/root"
state = "${at}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "${at}/c.sock"
`;
}
