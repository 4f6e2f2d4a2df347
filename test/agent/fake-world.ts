import { Agent, type AgentOptions } from '../../src/agent/agent';
import type { CheckpointStore } from '../../src/core/ports/checkpoint';
import type { Probe, ProbeAnswer } from '../../src/core/ports/probe';
import type { Sandboxes } from '../../src/core/ports/sandboxes';
import {
  FakeClock,
  RecordingCrashPoints,
  RecordingLogger,
  RecordingMetrics,
  seededIds,
  seededRandom,
} from '../support/fakes';
import { FakeDriver } from './fake-driver';
import { FakeMaster } from './fake-master';

/** Documents in memory. `full`: writes fail, as on a full disk. */
export class MemoryCheckpoints implements CheckpointStore {
  readonly documents = new Map<string, string>();
  readonly aside: string[] = [];
  full = false;
  /** The whole folder cannot be read. */
  unreadable = false;
  private gate: Promise<void> = Promise.resolve();

  list(): ReturnType<CheckpointStore['list']> {
    if (this.unreadable) return Promise.reject(new Error('EIO: i/o error'));
    const documents = [...this.documents].map(([name, text]) => ({ name, text }));
    return Promise.resolve({ documents, unreadable: [] });
  }
  /** Writes wait until the returned function is called, as on a disk that hangs. */
  hold(): () => void {
    let release: () => void = () => undefined;
    this.gate = new Promise((resolve) => (release = resolve));
    return release;
  }
  async write(name: string, text: string): Promise<void> {
    if (this.full) throw new Error('ENOSPC: no space left on device');
    await this.gate;
    this.documents.set(name, text);
  }
  remove(name: string): Promise<void> {
    this.documents.delete(name);
    return Promise.resolve();
  }
  setAside(name: string): Promise<string> {
    this.aside.push(name);
    this.documents.delete(name);
    return Promise.resolve(`aside/${name}`);
  }
  /** What is written about a task. */
  task(taskId: string): Record<string, unknown> | undefined {
    const text = this.documents.get(`task/${taskId}`);
    return text === undefined ? undefined : (JSON.parse(text) as Record<string, unknown>);
  }
}

export class MemorySandboxes implements Sandboxes {
  readonly folders = new Map<string, number>();
  usage = 0;
  constructor(private readonly nowMs: () => number) {}
  create(frameworkId: string, taskId: string): Promise<string> {
    const path = this.pathOf(frameworkId, taskId);
    this.folders.set(path, this.nowMs());
    return Promise.resolve(path);
  }
  pathOf(frameworkId: string, taskId: string): string {
    return `/sandboxes/${frameworkId}/${taskId}`;
  }
  list(): Promise<{ path: string; modifiedMs: number }[]> {
    return Promise.resolve([...this.folders].map(([path, modifiedMs]) => ({ path, modifiedMs })));
  }
  diskUsage(): Promise<number> {
    return Promise.resolve(this.usage);
  }
  remove(path: string): Promise<void> {
    this.folders.delete(path);
    return Promise.resolve();
  }
}

/** One agent whose whole surroundings are fakes. crash() drops the agent and keeps the rest, as kill -9 does. */
export class FakeWorld {
  readonly clock = new FakeClock();
  readonly driver = new FakeDriver();
  readonly checkpoints = new MemoryCheckpoints();
  readonly sandboxes = new MemorySandboxes(() => this.clock.nowMs());
  readonly log = new RecordingLogger();
  readonly metrics = new RecordingMetrics();
  readonly crashPoints = new RecordingCrashPoints();
  /** Why agents of this world gave up. */
  readonly gaveUp: string[] = [];
  master = new FakeMaster();
  answer: ProbeAnswer = { ok: true, status: 200 };
  /** What is answered at one address instead. */
  readonly answersAt = new Map<string, ProbeAnswer>();
  probed: { host: string; port: number }[] = [];
  agent: Agent;
  private births = 0;

  constructor(private readonly options: Partial<AgentOptions> = {}) {
    this.master.pingTimeoutMs = 1e12;
    this.agent = this.newAgent();
  }

  static async started(options: Partial<AgentOptions> = {}): Promise<FakeWorld> {
    const world = new FakeWorld(options);
    await world.start();
    return world;
  }

  async start(): Promise<void> {
    this.agent.start();
    await this.clock.run(0);
  }

  /** The old agent can do nothing more that anybody would notice; a new one starts from what is left. */
  async crash(between: () => void = () => undefined): Promise<void> {
    const documents = new Map(this.checkpoints.documents);
    await Promise.race([this.agent.stop(), this.clock.run(0)]);
    await this.clock.run(0);
    this.checkpoints.documents.clear();
    for (const [name, text] of documents) this.checkpoints.documents.set(name, text);
    this.driver.calls.length = 0;
    this.master = new FakeMaster();
    this.master.pingTimeoutMs = 1e12;
    between();
    this.agent = this.newAgent();
    await this.start();
  }

  /** Lets everything happen that happens within `ms`. */
  async run(ms = 0): Promise<void> {
    await this.clock.run(ms);
    await this.clock.run(0);
  }

  private newAgent(): Agent {
    this.births += 1;
    const probe: Probe = {
      http: ({ host, port }) => this.probe(host, port),
      tcp: ({ host, port }) => this.probe(host, port),
    };
    const options = { hostname: 'node1', port: 5051, resources: [], attributes: [], version: '0.1.0', ...this.options };
    const { master, clock, checkpoints, sandboxes, log, metrics, crashPoints } = this;
    return new Agent(options, {
      link: master,
      drivers: [this.driver],
      probe,
      checkpoints,
      sandboxes,
      clock,
      random: seededRandom(this.births),
      ids: seededIds(this.births),
      log,
      metrics,
      crashPoints,
      gaveUp: (reason) => void this.gaveUp.push(reason),
    });
  }

  private probe(host: string, port: number): Promise<ProbeAnswer> {
    this.probed.push({ host, port });
    return Promise.resolve(this.answersAt.get(host) ?? this.answer);
  }
}
