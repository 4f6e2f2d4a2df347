import { Agent } from '../../src/agent/agent';
import type { CrashPoint } from '../../src/core/ports/crash-points';
import type { Logger } from '../../src/core/ports/logger';
import { parseResources, ResourceBag } from '../../src/core/records/resources';
import { type FakeClock, noopMetrics } from '../support/fakes';
import { SimCheckpoints } from './checkpoints';
import type { Dice, Seeds } from './dice';
import { type EngineTrouble, goodEngine, SimDriver } from './driver';
import { type ContainerObserver, SimHost } from './host';
import { goodNetwork, type LinkTrouble, type MasterDoor, SimLink } from './link';
import { SimProbe } from './probe';
import { type Machine, SimProcess } from './process';
import { SimSandboxes } from './sandboxes';

const RESOURCES = 'cpus:8;mem:4096;disk:10000;ports:[31000-31019,31500-31999]';

export interface AgentNodeOptions {
  readonly driver?: typeof SimDriver;
}

/** One machine with its agent. The agent can crash and come back; the machine and its containers stay. */
export class AgentNode {
  readonly host: SimHost;
  readonly engine: EngineTrouble = goodEngine();
  readonly network: LinkTrouble = goodNetwork();
  readonly machine: Machine = { wallOffsetMs: 0 };
  private readonly sandboxes = new SimSandboxes();
  private readonly dice: Dice;
  private process: SimProcess;
  private link: SimLink | undefined;
  private agent: Agent | undefined;

  constructor(
    readonly name: string,
    private readonly clock: FakeClock,
    private readonly seeds: Seeds,
    observer: ContainerObserver,
    private readonly findMaster: (dice: Dice) => MasterDoor | undefined,
    private readonly log: Logger,
    private readonly options: AgentNodeOptions = {},
  ) {
    this.dice = seeds.dicePart();
    this.host = new SimHost(name, ResourceBag.of(parseResources(RESOURCES)), clock, seeds.dicePart(), observer);
    this.process = new SimProcess(clock);
    this.process.kill();
  }

  get isUp(): boolean {
    return this.process.isAlive;
  }

  get agentId(): string | undefined {
    return this.agent?.status().agentId;
  }

  /** What the agent says about itself, for messages. */
  get status(): string {
    const status = this.agent?.status();
    return this.isUp && status !== undefined ? `${status.state}: ${status.reason}` : 'down';
  }

  start(): void {
    if (this.isUp) return;
    const { clock, dice, host, seeds } = this;
    const process = new SimProcess(clock, this.machine);
    this.process = process;
    this.link = new SimLink(process, clock, dice, this.network, this.findMaster);
    const Driver = this.options.driver ?? SimDriver;
    this.agent = new Agent(
      {
        hostname: this.name,
        port: 5051,
        resources: parseResources(RESOURCES),
        attributes: [],
        version: 'sim',
        removeDelayMs: 20_000,
      },
      {
        link: this.link,
        drivers: [new Driver(host, process, clock, dice, this.engine)],
        probe: new SimProbe(host, process, clock, dice),
        checkpoints: new SimCheckpoints(host.disk, process, clock, dice),
        sandboxes: this.sandboxes,
        clock: process,
        random: seeds.random(),
        ids: seeds.ids(),
        log: this.log.child({ host: this.name }),
        metrics: noopMetrics(),
        crashPoints: process,
      },
    );
    this.agent.start();
  }

  /** `kill -9`: containers live on. */
  crash(): void {
    this.process.kill();
  }

  pause(): void {
    this.process.pause();
  }

  resume(): void {
    this.process.resume();
  }

  /** Nothing is wrong any more. */
  calm(): void {
    Object.assign(this.network, goodNetwork());
    Object.assign(this.engine, goodEngine());
    this.machine.wallOffsetMs = 0;
    this.host.disk.isFull = false;
    this.host.strangerPorts.clear();
    for (const container of this.host.containers.values()) container.healthy = true;
    this.process.disarm();
    this.resume();
    this.start();
  }

  /** `kill -9` the next time it comes to this point. */
  crashAt(point: CrashPoint, died: () => void): void {
    this.process.dieAt(point, died);
  }

  /** The machine loses power and comes back without its agent: no container runs any more. */
  powerCut(): void {
    this.crash();
    for (const container of this.host.running()) this.host.end(container, 137, 'the machine lost power');
  }

  /** The connection to the master breaks, both sides are told. */
  breakConnection(): void {
    this.link?.break();
  }
}
