import type { BedNode } from './network';
import type { Testbed } from './testbed';
import { compact, emptyEtcd, etcdDown, killEtcdLeader, noQuorum, revokeLeaseOf } from './faults/etcd';
import { cutBetween, deaf, oneWayCut, packetLoss } from './faults/firewall';
import { cutLink, slowLink } from './faults/link';
import { crash, stall } from './faults/process';
import { LEADER_KEY } from '../../src/io/election/lease-election';

export interface FaultWord {
  readonly usage: string;
  readonly about: string;
  make(bed: Testbed, node: (name: string | undefined) => BedNode, args: readonly string[]): Promise<unknown>;
}

/** Faults that can be made by hand, by name. */
export const FAULTS: ReadonlyMap<string, FaultWord> = new Map<string, FaultWord>([
  ['cut', { usage: 'NODE', about: 'pulls its cable', make: async (bed, node, [a]) => cutLink(bed, node(a)) }],
  [
    'between',
    {
      usage: 'NODE NODE',
      about: 'they cannot reach each other',
      make: async (_, node, [a, b]) => cutBetween(node(a), node(b)),
    },
  ],
  [
    'one-way',
    {
      usage: 'FROM TO',
      about: 'packets in one direction are lost',
      make: async (_, node, [a, b]) => oneWayCut(node(a), node(b)),
    },
  ],
  ['deaf', { usage: 'NODE', about: 'it sends, but hears nothing', make: async (_, node, [a]) => deaf(node(a)) }],
  [
    'loss',
    {
      usage: 'NODE SHARE',
      about: 'a share (0 to 1) of its packets is lost',
      make: async (_, node, [a, share]) => packetLoss(node(a), Number(share)),
    },
  ],
  [
    'slow',
    {
      usage: 'NODE RATE',
      about: 'narrow line, e.g. 64kbit',
      make: async (_, node, [a, rate]) => slowLink(node(a), rate ?? '64kbit'),
    },
  ],
  [
    'crash',
    {
      usage: 'PROCESS',
      about: 'kill -9, e.g. "agent a1", "server s2"',
      make: async (bed, _, words) => crash(processOf(bed, words)),
    },
  ],
  ['stall', { usage: 'PROCESS', about: 'kill -STOP', make: async (bed, _, words) => stall(processOf(bed, words)) }],
  ['etcd-leader', { usage: '', about: 'kills the leading member of etcd', make: async (bed) => killEtcdLeader(bed) }],
  ['no-quorum', { usage: '', about: 'kills a majority of etcd', make: async (bed) => noQuorum(bed) }],
  ['etcd-down', { usage: '', about: 'kills all of etcd', make: async (bed) => etcdDown(bed) }],
  ['compact', { usage: '', about: 'etcd forgets its history', make: async (bed) => compact(bed) }],
  ['revoke', { usage: '', about: "revokes the leader's lease", make: async (bed) => revokeLeaseOf(bed, LEADER_KEY) }],
  ['empty-etcd', { usage: '', about: 'etcd loses all data (cannot be healed)', make: async (bed) => emptyEtcd(bed) }],
]);

function processOf(bed: Testbed, words: readonly string[]) {
  const name = words.join(' ');
  const found = bed.processes().find((process) => process.name === name);
  if (found === undefined)
    throw new Error(
      `there is no process "${name}": ${bed
        .processes()
        .map((process) => process.name)
        .join(', ')}`,
    );
  return found;
}
