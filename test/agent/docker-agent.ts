import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Docker from 'dockerode';
import { Agent, type AgentOptions } from '../../src/agent/agent';
import { DockerDriver } from '../../src/io/docker/docker-driver';
import { CheckpointFolder } from '../../src/io/files/checkpoint-folder';
import { SandboxFolder } from '../../src/io/files/sandbox-folder';
import { SystemClock } from '../../src/io/system/clock';
import type { Probe } from '../../src/core/ports/probe';
import { RecordingLogger, RecordingMetrics, seededIds, seededRandom } from '../support/fakes';
import { FakeMaster } from './fake-master';

/** One agent on a real engine with a master in memory. reborn() is what kill -9 of the agent and a new start come to. */
export class DockerAgent {
  readonly workDir = mkdtempSync(join(tmpdir(), 'berth-agent-'));
  readonly docker: Docker;
  readonly log = new RecordingLogger();
  readonly metrics = new RecordingMetrics();
  master = new FakeMaster();
  agent: Agent;
  private driver: DockerDriver;
  private births = 0;

  constructor(
    readonly socketPath: string,
    private readonly probe: Probe,
    private readonly options: Partial<AgentOptions> = {},
  ) {
    this.docker = new Docker({ socketPath });
    this.driver = this.newDriver();
    this.agent = this.newAgent();
    this.agent.start();
  }

  /** Lets go of everything the old agent holds, without a word to Docker, and starts a new one on the same folder. */
  async reborn(between: () => Promise<void> = () => Promise.resolve()): Promise<void> {
    await this.silence();
    await between();
    this.master = new FakeMaster();
    this.driver = this.newDriver();
    this.agent = this.newAgent();
    this.agent.start();
  }

  async stop(): Promise<void> {
    await this.silence();
    const containers = await this.docker.listContainers({
      all: true,
      filters: { label: [`berth.workdir=${this.workDir}`] },
    });
    await Promise.all(containers.map(({ Id }) => this.docker.getContainer(Id).remove({ force: true, v: true })));
    rmSync(this.workDir, { recursive: true, force: true });
  }

  /** Ids of all containers of this agent. */
  async containerIds(): Promise<string[]> {
    const filters = { label: [`berth.workdir=${this.workDir}`] };
    return (await this.docker.listContainers({ all: true, filters })).map(({ Id }) => Id);
  }

  sandbox(taskId: string): string {
    return join(this.workDir, 'sandboxes', 'F1', taskId);
  }

  private async silence(): Promise<void> {
    await this.agent.stop();
    await this.driver.close();
  }

  private newDriver(): DockerDriver {
    const options = { address: { socketPath: this.socketPath }, cluster: 'test', workDir: this.workDir };
    return new DockerDriver(options, new SystemClock(), this.log, this.metrics);
  }

  private newAgent(): Agent {
    this.births += 1;
    const options = { hostname: 'node1', port: 5051, resources: [], attributes: [], version: '0.1.0', ...this.options };
    return new Agent(options, {
      link: this.master,
      drivers: [this.driver],
      probe: this.probe,
      checkpoints: new CheckpointFolder(join(this.workDir, 'meta')),
      sandboxes: new SandboxFolder(join(this.workDir, 'sandboxes')),
      clock: new SystemClock(),
      random: seededRandom(this.births),
      ids: seededIds(Date.now() + this.births),
      log: this.log,
      metrics: this.metrics,
    });
  }
}
