import { inNode, type BedNode } from '../network';
import { quietly } from '../../support/leftovers';
import type { Heal } from './fault';

/** A chain of our own, so that healing everything is one flush and Docker's rules are never touched. */
const CHAIN = 'BED-FAULT';

/** Packets from one node to another are lost; answers in the other direction arrive. */
export function oneWayCut(from: BedNode, to: BedNode): Heal {
  return rule(to, ['-s', from.address, '-j', 'DROP']);
}

/** Two nodes cannot reach each other; both reach everybody else. */
export function cutBetween(one: BedNode, other: BedNode): Heal {
  const heals = [oneWayCut(one, other), oneWayCut(other, one)];
  return async () => {
    for (const heal of heals) await heal();
  };
}

/** Nothing that is sent to this node arrives, whoever sends it; what it sends does. */
export function deaf(node: BedNode): Heal {
  return rule(node, ['-i', 'eth0', '-j', 'DROP']);
}

/** A part of all packets to the node is lost, 0 to 1. */
export function packetLoss(node: BedNode, share: number): Heal {
  return rule(node, [
    '-i',
    'eth0',
    '-m',
    'statistic',
    '--mode',
    'random',
    '--probability',
    String(share),
    '-j',
    'DROP',
  ]);
}

/** Ends every fault of this file on the node. */
export function flushFirewall(node: BedNode): void {
  quietly('nsenter', [`--net=/run/netns/${node.netns}`, 'iptables', '-w', '5', '-F', CHAIN]);
}

function rule(node: BedNode, words: readonly string[]): Heal {
  const iptables = ['iptables', '-w', '5'];
  if (!quietly('nsenter', [`--net=/run/netns/${node.netns}`, ...iptables, '-n', '-L', CHAIN])) {
    inNode(node, [...iptables, '-N', CHAIN]);
    inNode(node, [...iptables, '-I', 'INPUT', '-j', CHAIN]);
    // Packets to containers do not pass INPUT.
    inNode(node, [...iptables, '-I', 'FORWARD', '-i', 'eth0', '-j', CHAIN]);
  }
  inNode(node, [...iptables, '-A', CHAIN, ...words]);
  return async () => {
    quietly('nsenter', [`--net=/run/netns/${node.netns}`, ...iptables, '-D', CHAIN, ...words]);
  };
}
