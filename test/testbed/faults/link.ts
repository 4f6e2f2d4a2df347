import { quietly } from '../../support/leftovers';
import { inNode, shell, type BedNode } from '../network';
import type { Testbed } from '../testbed';
import type { Heal } from './fault';

/** The cable is pulled: nothing comes in or goes out; what runs on the node goes on. */
export function cutLink(bed: Testbed, node: BedNode): Heal {
  setLink(bed, node, 'down');
  return async () => setLink(bed, node, 'up');
}

/** What the node sends passes a narrow line; `rate` as tc writes it, e.g. `64kbit`. Packets wait up to a second. */
export function slowLink(node: BedNode, rate: string): Heal {
  inNode(node, ['tc', 'qdisc', 'replace', 'dev', 'eth0', 'root', 'tbf', 'rate', rate, 'burst', '2kb', 'latency', '1s']);
  return async () => healLink(node);
}

export function setLink(bed: Testbed, node: BedNode, state: 'up' | 'down'): void {
  shell([`ip -n ${bed.network.switch} link set ${node.name} ${state}`]);
}

export function healLink(node: BedNode): void {
  quietly('nsenter', [`--net=/run/netns/${node.netns}`, 'tc', 'qdisc', 'del', 'dev', 'eth0', 'root']);
}
