import { setMaxListeners } from 'node:events';
import type { Recording } from '../../checker/live/observation';
import type { Dice } from '../../sim/dice';
import type { AgentHost } from '../../testbed/agent-host';
import type { BedProcess } from '../../testbed/bed-process';
import { killContainerd, killShim, restartDockerd } from '../../testbed/faults/docker';
import { compact, etcdDown, killEtcdLeader, noQuorum, revokeLeaseOf } from '../../testbed/faults/etcd';
import type { Heal } from '../../testbed/faults/fault';
import { cutBetween, deaf, packetLoss } from '../../testbed/faults/firewall';
import { clockJump } from '../../testbed/faults/clock';
import { cutLink, slowLink } from '../../testbed/faults/link';
import { crash, stall } from '../../testbed/faults/process';
import { healAll } from '../../testbed/faults/heal';
import type { BedNode } from '../../testbed/network';
import type { Testbed } from '../../testbed/testbed';
import { CRASH_POINTS } from '../../../src/core/ports/crash-points';
import { LEADER_KEY } from '../../../src/io/election/lease-election';

/** How long faults last, seconds. */
const DURATIONS = [0.5, 2, 5, 12, 25] as const;
const HOUR_SECONDS = 3_600;

interface Fault {
  readonly name: string;
  /** What it happens to; one fault at a time for each. */
  readonly target: string;
  /** Nothing to heal: undefined. */
  readonly begin: () => Promise<Heal | undefined>;
}

/** Draws faults for a bed, makes them, and ends them after a while. */
export class Chaos {
  faults = 0;
  private readonly active = new Map<string, Promise<void>>();
  private readonly end = new AbortController();
  private calmed = false;

  constructor(
    private readonly bed: Testbed,
    private readonly dice: Dice,
    private readonly recording: Recording,
    /** How far the recording has followed the store: what it has not seen must not be compacted away. */
    private readonly seenRevision: () => number,
  ) {
    setMaxListeners(0, this.end.signal);
  }

  /** Begins one fault; it ends by itself. */
  strike(): void {
    const fault = this.draw();
    const seconds = this.dice.one(...DURATIONS);
    if (this.calmed || this.active.has(fault.target)) return;
    this.faults++;
    const done = this.live(fault, seconds).finally(() => this.active.delete(fault.target));
    this.active.set(fault.target, done);
  }

  /** Ends every fault, and waits for that. */
  async calm(): Promise<void> {
    this.calmed = true;
    this.end.abort();
    await Promise.all(this.active.values());
    await healAll(this.bed);
    this.note('calm: every fault is healed');
  }

  private async live({ name, target, begin }: Fault, seconds: number): Promise<void> {
    try {
      this.note(`${target}: ${name} for ${seconds} s`);
      const heal = await begin();
      if (heal === undefined) return;
      await pause(seconds * 1000, this.end.signal);
      this.note(`${target}: ${name} ends`);
      await heal();
    } catch (error) {
      // Another fault may stand in the way of this one.
      this.note(`${target}: ${name}: ${String(error).split('\n')[0]}`);
    }
  }

  private draw(): Fault {
    const { dice } = this;
    const kinds = [
      () => this.ofServer(),
      () => this.ofServer(),
      () => this.ofEtcd(),
      () => this.ofAgent(),
      () => this.ofAgent(),
      () => this.ofHost(),
      () => this.ofEngine(),
      () => this.ofContainer(),
    ];
    return dice.one(kinds[0] ?? (() => this.ofServer()), ...kinds.slice(1))();
  }

  private ofServer(): Fault {
    const { bed } = this;
    const server = this.some(bed.servers);
    const { node, process } = server;
    const network = this.ofNetwork(node);
    const others: Fault[] = [
      { name: 'crash', target: node.name, begin: () => crash(process) },
      { name: 'stall', target: node.name, begin: () => stall(process) },
      { name: 'SIGTERM', target: node.name, begin: () => terminate(process) },
      { name: 'cut off from etcd', target: node.name, begin: async () => cutAll(node, bed.etcd) },
      this.atCrashPoint(node, process, (point) => !point.startsWith('agent.')),
      { name: 'all servers down', target: 'servers', begin: () => allDown(bed.servers.map((one) => one.process)) },
      { name: 'the lease of the leader is revoked', target: 'lease', begin: () => this.revoke() },
      ...(bed.options.faketime === true ? [this.clock(node)] : []),
    ];
    return this.dice.one(network, ...others);
  }

  private ofEtcd(): Fault {
    const { bed } = this;
    const { node, process } = this.some(bed.etcd);
    return this.dice.one<Fault>(
      { name: 'crash', target: node.name, begin: () => crash(process) },
      { name: 'stall', target: node.name, begin: () => stall(process) },
      this.ofNetwork(node),
      { name: 'leader killed', target: 'etcd', begin: () => killEtcdLeader(bed) },
      { name: 'no quorum', target: 'etcd', begin: () => noQuorum(bed) },
      { name: 'all members down', target: 'etcd', begin: () => etcdDown(bed) },
      { name: 'compaction', target: 'compaction', begin: () => over(compact(bed, this.seenRevision())) },
    );
  }

  private ofAgent(): Fault {
    const { node, agent } = this.some(this.bed.hosts);
    return this.dice.one<Fault>(
      { name: 'agent crash', target: node.name, begin: () => crash(agent) },
      { name: 'agent stall', target: node.name, begin: () => stall(agent) },
      { name: 'agent SIGTERM', target: node.name, begin: () => terminate(agent) },
      this.atCrashPoint(node, agent, (point) => point.startsWith('agent.')),
      ...(this.bed.options.faketime === true ? [this.clock(node)] : []),
    );
  }

  private ofHost(): Fault {
    return this.ofNetwork(this.some(this.bed.hosts).node);
  }

  private ofNetwork(node: BedNode): Fault {
    const target = `link of ${node.name}`;
    return this.dice.one<Fault>(
      { name: 'cable pulled', target, begin: async () => cutLink(this.bed, node) },
      { name: 'deaf', target, begin: async () => deaf(node) },
      { name: '30 % packet loss', target, begin: async () => packetLoss(node, 0.3) },
      { name: '256 kbit/s', target, begin: async () => slowLink(node, '256kbit') },
    );
  }

  private ofEngine(): Fault {
    const host = this.some(this.bed.hosts);
    const target = `engine of ${host.node.name}`;
    return this.dice.one<Fault>(
      { name: 'dockerd restarted', target, begin: () => over(restartDockerd(host)) },
      { name: 'dockerd killed', target, begin: () => over(restartDockerd(host, 'SIGKILL')) },
      { name: 'dockerd stalls', target, begin: () => stall(host.dockerd) },
      { name: 'containerd killed', target, begin: () => killContainerd(host) },
    );
  }

  private ofContainer(): Fault {
    const host = this.some(this.bed.hosts);
    const target = `a container of ${host.node.name}`;
    const byHand = (what: 'removed' | 'stopped' | 'killed' | 'its shim killed') => ({
      name: what,
      target,
      begin: () => over(this.byHand(host, what)),
    });
    return this.dice.one<Fault>(byHand('removed'), byHand('stopped'), byHand('killed'), byHand('its shim killed'));
  }

  private async byHand(host: AgentHost, what: 'removed' | 'stopped' | 'killed' | 'its shim killed'): Promise<void> {
    const running = (await host.containers()).filter(({ state }) => state === 'running');
    const victim = this.dice.pick(running);
    if (victim === undefined) return;
    const { taskId, id } = victim;
    this.note(`${host.node.name}: ${taskId}: ${what}`);
    this.recording.add({ kind: 'by hand', taskId, what: what === 'removed' ? 'removed' : 'stopped' });
    const container = host.docker.getContainer(id);
    if (what === 'removed') await container.remove({ force: true });
    if (what === 'stopped') await container.stop({ t: 1 });
    if (what === 'killed') await container.kill();
    if (what === 'its shim killed') await killShim(host, id);
  }

  /** It is started anew and dies at a named point, if it gets there. */
  private atCrashPoint(node: BedNode, process: BedProcess, isIts: (point: string) => boolean): Fault {
    const point = `${this.some(Object.keys(CRASH_POINTS).filter(isIts))}:${this.dice.between(1, 3)}`;
    const begin = async () => {
      process.extraEnv = { BERTH_CRASH_POINT: point };
      await process.restart();
      return async () => {
        process.extraEnv = {};
        await process.restart();
      };
    };
    return { name: `dies at ${point}`, target: node.name, begin };
  }

  private clock(node: BedNode): Fault {
    const seconds = this.dice.one(-HOUR_SECONDS, -5, 5, HOUR_SECONDS);
    return { name: `clock ${seconds} s`, target: `clock of ${node.name}`, begin: async () => clockJump(node, seconds) };
  }

  private async revoke(): Promise<undefined> {
    await revokeLeaseOf(this.bed, LEADER_KEY);
  }

  private some<T>(choices: readonly T[]): T {
    const choice = this.dice.pick(choices);
    if (choice === undefined) throw new Error('nothing to choose from');
    return choice;
  }

  private note(text: string): void {
    this.recording.add({ kind: 'fault', text });
  }
}

async function allDown(processes: readonly BedProcess[]): Promise<Heal> {
  await Promise.all(processes.map((process) => process.kill()));
  return async () => {
    for (const process of processes) process.start();
  };
}

/** What ends by itself. */
async function over(work: Promise<void>): Promise<undefined> {
  await work;
}

async function terminate(process: BedProcess): Promise<Heal> {
  await process.kill('SIGTERM').catch(() => process.kill('SIGKILL'));
  return async () => process.start();
}

function cutAll(node: BedNode, members: readonly { readonly node: BedNode }[]): Heal {
  const heals = members.map((member) => cutBetween(node, member.node));
  return async () => {
    for (const heal of heals) await heal();
  };
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
  });
}
