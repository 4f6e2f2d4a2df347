import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { MarathonClient } from './marathon-client';
import { freePorts, startProcess, type RunningProcess } from './process';
import { waitFor } from './wait';

const MAIN = resolve(process.cwd(), 'dist/main.js');

export interface ServerUnderTest {
  process: RunningProcess;
  readonly index: number;
  readonly marathonUrl: string;
  readonly mesosAddress: string;
  readonly kubePort: number;
  readonly kubeconfig: string;
  readonly marathon: MarathonClient;
  restart(): Promise<void>;
  /** Stops it as an operator does (SIGTERM) and starts it from another build. Resolves when it is ready. */
  upgrade(main: string): Promise<void>;
}

export interface AgentUnderTest {
  process: RunningProcess;
  readonly name: string;
  readonly port: number;
  readonly workDir: string;
  restart(): Promise<void>;
  /** Stops it as an operator does (SIGTERM) and starts it from another build. Resolves when it answers. */
  upgrade(main: string): Promise<void>;
}

export interface ClusterOptions {
  readonly etcdEndpoint: string;
  readonly dockerSocket: string;
  readonly servers?: number;
  readonly agents?: number;
  readonly serverFlags?: readonly string[];
  readonly agentFlags?: readonly string[];
  /** `main.js` of another build to run; dist/main.js by default. */
  readonly main?: string;
}

/** Real `berth server` and `berth agent` processes on a given etcd and Docker engine; everything else is temporary. */
export class Cluster {
  readonly servers: ServerUnderTest[] = [];
  readonly agents: AgentUnderTest[] = [];

  private constructor(
    readonly dir: string,
    private readonly options: ClusterOptions,
  ) {}

  static async start(options: ClusterOptions): Promise<Cluster> {
    const cluster = new Cluster(mkdtempSync(join(tmpdir(), 'berth-cluster-')), options);
    try {
      for (let i = 0; i < (options.servers ?? 1); i++) await cluster.addServer();
      for (let i = 0; i < (options.agents ?? 1); i++) await cluster.addAgent();
      await cluster.ready();
      return cluster;
    } catch (error) {
      const logs = [...cluster.servers, ...cluster.agents]
        .map((part) => part.process.log().slice(-2_000))
        .join('\n---\n');
      await cluster.stop();
      throw new Error(`the cluster did not start: ${String(error)}\n${logs}`, { cause: error });
    }
  }

  get marathon(): MarathonClient {
    const server = this.servers.find((candidate) => !candidate.process.exited());
    if (server === undefined) throw new Error('no server is left');
    return server.marathon;
  }

  async addServer(): Promise<ServerUnderTest> {
    const index = this.servers.length;
    const [marathon = 0, mesos = 0, kube = 0] = await freePorts(3);
    const dataDir = join(this.dir, `server-${index}`);
    mkdirSync(dataDir);
    const flags = [
      'server',
      `--etcd-endpoints=${this.options.etcdEndpoint}`,
      `--marathon-port=${marathon}`,
      `--mesos-port=${mesos}`,
      `--kube-port=${kube}`,
      `--data-dir=${dataDir}`,
      ...(this.options.serverFlags ?? []),
    ];
    let main = this.options.main ?? MAIN;
    const start = () => startProcess([process.execPath, main, ...flags], join(this.dir, `server-${index}.log`));
    const marathonUrl = `http://127.0.0.1:${marathon}`;
    const server: ServerUnderTest = {
      process: start(),
      index,
      marathonUrl,
      mesosAddress: `127.0.0.1:${mesos}`,
      kubePort: kube,
      kubeconfig: join(dataDir, 'kubeconfig'),
      marathon: new MarathonClient(marathonUrl),
      async restart() {
        await server.process.kill('SIGKILL');
        server.process = start();
        await waitFor('the server to be ready again', () => isReady(marathonUrl));
      },
      async upgrade(to) {
        await server.process.kill('SIGTERM');
        main = to;
        server.process = start();
        await waitFor('the upgraded server to be ready', () => isReady(marathonUrl));
      },
    };
    this.servers.push(server);
    return server;
  }

  async addAgent(flags: readonly string[] = []): Promise<AgentUnderTest> {
    const index = this.agents.length;
    const [port = 0] = await freePorts(1);
    const workDir = join(this.dir, `agent-${index}`);
    mkdirSync(workDir);
    const first = 31_000 + index * 1_000;
    const words = [
      'agent',
      `--master=${this.servers.map((server) => server.mesosAddress).join(',')}`,
      `--port=${port}`,
      `--work-dir=${workDir}`,
      `--docker-socket=${this.options.dockerSocket}`,
      `--hostname=127.0.0.${index + 1}`,
      `--resources=cpus:32;mem:16384;disk:10000;ports:[${first}-${first + 999}]`,
      ...(this.options.agentFlags ?? []),
      ...flags,
    ];
    let main = this.options.main ?? MAIN;
    const start = () => startProcess([process.execPath, main, ...words], join(this.dir, `agent-${index}.log`));
    const agent: AgentUnderTest = {
      process: start(),
      name: `127.0.0.${index + 1}`,
      port,
      workDir,
      async restart() {
        await agent.process.kill('SIGKILL');
        agent.process = start();
        await waitFor('the agent to answer', async () => (await fetch(`http://127.0.0.1:${port}/health`)).ok);
      },
      async upgrade(to) {
        await agent.process.kill('SIGTERM');
        main = to;
        agent.process = start();
        await waitFor('the upgraded agent to answer', async () => (await fetch(`http://127.0.0.1:${port}/health`)).ok);
      },
    };
    this.agents.push(agent);
    return agent;
  }

  /** Every server is ready and the leader knows every agent as active. */
  async ready(): Promise<void> {
    for (const server of this.servers) await waitFor(`server ${server.index} ready`, () => isReady(server.marathonUrl));
    await waitFor('all agents active', async () => (await this.activeAgents()) === this.agents.length);
  }

  async activeAgents(): Promise<number> {
    const status = (await this.marathon.ok('GET', '/v1/status')) as { agents: { state: string }[] };
    return status.agents.filter((agent) => agent.state === 'active').length;
  }

  /** The server that leads, once there is one. */
  async leader(): Promise<ServerUnderTest> {
    return waitFor('a leader', async () => {
      const { body } = await this.marathon.call('GET', '/v2/leader');
      const address = (body as { leader?: string } | undefined)?.leader;
      return this.servers.find((server) => !server.process.exited() && server.marathonUrl === `http://${address}`);
    });
  }

  async stop(): Promise<void> {
    await Promise.all([...this.agents, ...this.servers].map((part) => part.process.kill('SIGKILL')));
    rmSync(this.dir, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function isReady(url: string): Promise<boolean> {
  const response = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(2_000) });
  await response.arrayBuffer();
  return response.ok;
}
