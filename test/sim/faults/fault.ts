import type { FakeClock } from '../../support/fakes';
import type { History } from '../../checker/history';
import type { HostRules } from '../../checker/host-rules';
import type { MemoryLeases } from '../../../src/io/memory/leases';
import type { MemoryStore } from '../../../src/io/memory/store';
import type { AgentNode } from '../agent-node';
import type { Dice } from '../dice';
import type { SimServer } from '../server';
import type { Users } from '../users';

/** What trouble is made of. */
export interface Stage {
  readonly clock: FakeClock;
  readonly history: History;
  readonly rules: HostRules;
  readonly users: Users;
  readonly store: MemoryStore;
  readonly leases: MemoryLeases;
  readonly servers: readonly SimServer[];
  readonly agents: readonly AgentNode[];
  /** Runs it after so many milliseconds, unless all trouble is over by then. */
  readonly later: (ms: number, run: () => void) => void;
}

/** Parameters of one piece of trouble: plain values, so that a run can be written down and played again. */
export type How = Readonly<Record<string, string | number | boolean>>;

/** One kind of trouble. What is drawn must make sense whatever the state of the cluster is when it happens. */
export interface Fault {
  readonly name: string;
  /** How often it is drawn, against the others. */
  readonly weight: number;
  draw(dice: Dice): How;
  begin(stage: Stage, how: How): void;
}

export function fault<H extends How>(kind: {
  readonly name: string;
  readonly weight: number;
  draw(dice: Dice): H;
  begin(stage: Stage, how: H): void;
}): Fault {
  return { ...kind, begin: (stage, how) => kind.begin(stage, how as H) };
}

/** Milliseconds: most trouble is short, some is longer than any ping limit. */
export function duration(dice: Dice): number {
  return dice.one(300, 3_000, 10_000, 45_000);
}

/** A place in lists of different length. */
export function place(dice: Dice): number {
  return dice.between(0, 59);
}

export function at<T>(list: readonly T[], index: number): T | undefined {
  return list[index % Math.max(1, list.length)];
}

/** The leader, or any server when nobody leads. */
export function leaderOf({ servers }: Stage, otherwise: number): SimServer | undefined {
  return servers.find((server) => server.isLeader) ?? at(servers, otherwise);
}
