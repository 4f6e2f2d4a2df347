import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { quietly } from '../support/leftovers';

const TIMEOUT_MS = 20_000;

/** A machine of the bed: a network namespace with one interface, `eth0`, on the bed's switch, and a folder. */
export interface BedNode {
  readonly name: string;
  readonly netns: string;
  readonly address: string;
  readonly dir: string;
}

/**
 * The bed's network: a switch in a namespace of its own (a bridge in the root namespace stops to forward when somebody starts a
 * dockerd there), a namespace for each node, and one leg in the runner's namespace.
 */
export class BedNetwork {
  readonly switch: string;
  /** The runner's own address: registry and proxies listen here. */
  readonly runnerAddress: string;
  private readonly leg: string;
  readonly nodes: BedNode[] = [];

  constructor(
    readonly slot: number,
    private readonly dir: string,
  ) {
    this.switch = `bb${slot}-sw`;
    this.leg = `bb${slot}-host`;
    this.runnerAddress = this.addressOf(254);
  }

  node(name: string, last: number): BedNode {
    const node = { name, netns: `bb${this.slot}-${name}`, address: this.addressOf(last), dir: join(this.dir, name) };
    this.nodes.push(node);
    return node;
  }

  up(): void {
    for (const { dir } of this.nodes) mkdirSync(dir, { recursive: true });
    const sw = this.switch;
    shell([
      `ip netns add ${sw}`,
      `ip -n ${sw} link set lo up`,
      `ip -n ${sw} link add br0 type bridge forward_delay 0`,
      `ip -n ${sw} link set br0 up`,
      `ip link add ${this.leg} type veth peer name host0 netns ${sw}`,
      `ip addr add ${this.runnerAddress}/24 dev ${this.leg}`,
      `ip link set ${this.leg} up`,
      `ip -n ${sw} link set host0 master br0 up`,
      ...this.nodes.flatMap(({ name, netns, address }) => [
        `ip netns add ${netns}`,
        `ip link add ${name} netns ${sw} type veth peer name eth0 netns ${netns}`,
        `ip -n ${sw} link set ${name} master br0 up`,
        `ip -n ${netns} link set lo up`,
        `ip -n ${netns} addr add ${address}/24 dev eth0`,
        `ip -n ${netns} link set eth0 up`,
        `ip -n ${netns} route add default via ${this.runnerAddress}`,
      ]),
    ]);
  }

  /** To be called when no process is left in the namespaces. Safe to call twice. */
  down(): void {
    for (const { netns } of this.nodes) quietly('ip', ['netns', 'del', netns]);
    quietly('ip', ['link', 'del', this.leg]);
    quietly('ip', ['netns', 'del', this.switch]);
  }

  /** Names of what is still there. */
  leftovers(): string[] {
    const namespaces = [this.switch, ...this.nodes.map(({ netns }) => netns)];
    const links = existsSync(`/sys/class/net/${this.leg}`) ? [`link ${this.leg}`] : [];
    return [
      ...namespaces.filter((name) => existsSync(`/run/netns/${name}`)).map((name) => `namespace ${name}`),
      ...links,
    ];
  }

  private addressOf(last: number): string {
    return `10.77.${this.slot}.${last}`;
  }
}

/** Runs a program inside a node's network namespace and returns what it printed. Throws with its words when it fails. */
export function inNode(node: BedNode, command: readonly string[], timeoutMs = TIMEOUT_MS): string {
  return execFileSync('nsenter', [`--net=/run/netns/${node.netns}`, ...command], {
    encoding: 'utf8',
    timeout: timeoutMs,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** Runs the lines with sh; the first that fails ends it. */
export function shell(lines: readonly string[]): void {
  execFileSync('sh', ['-e'], { input: lines.join('\n'), timeout: TIMEOUT_MS, stdio: ['pipe', 'ignore', 'pipe'] });
}
