import type { CrashPoint } from '../../src/core/ports/crash-points';
import type { Election, LeaderInfo, Term } from '../../src/core/ports/election';
import type { Logger } from '../../src/core/ports/logger';
import type { Records } from '../../src/core/ports/records';
import { RestoredStore } from '../../src/compose/restored-store';
import { LeaseElection } from '../../src/io/election/lease-election';
import type { MemoryLeases } from '../../src/io/memory/leases';
import type { MemoryStore } from '../../src/io/memory/store';
import { MirrorRecords } from '../../src/io/mirror/records';
import { SeenRevision } from '../../src/io/mirror/seen-revision';
import { GroupManager } from '../../src/orchestrator/group-manager';
import { type FakeClock, noopMetrics } from '../support/fakes';
import { SimCheckpoints, SimDisk } from './checkpoints';
import type { Dice, Seeds } from './dice';
import type { History } from '../checker/history';
import type { MasterDoor } from './link';
import { type Machine, SimProcess } from './process';
import { REREGISTER_MS, rolesOf } from './roles';
import { noTrouble, StoreClient, type StoreTrouble } from './store-client';
import type { Committed } from '../checker/fence-rules';
import type { Replica } from './users';

/** What all servers share. */
export interface Cluster {
  readonly clock: FakeClock;
  readonly store: MemoryStore;
  readonly leases: MemoryLeases;
  readonly seeds: Seeds;
  readonly history: History;
  /** The same records, with an eye on what an orchestrator writes. */
  readonly watching: (records: Records) => Records;
  readonly log: Logger;
  onCommit(committed: Committed): void;
}

interface Running {
  readonly process: SimProcess;
  readonly client: StoreClient;
  readonly stop: AbortController;
  readonly records: MirrorRecords;
  readonly restored: RestoredStore;
  readonly election: Election;
  readonly replica: Replica;
  door: MasterDoor | undefined;
}

/** Between SIGTERM and the end of the process, milliseconds. */
const TERMINATION_MS = 2_000;

/** One control-plane replica: what the composition root builds, on a process that can be killed. */
export class SimServer {
  readonly trouble: StoreTrouble = noTrouble();
  readonly machine: Machine = { wallOffsetMs: 0 };
  private readonly dice: Dice;
  private readonly disk = new SimDisk();
  private process: SimProcess | undefined;
  /** Absent while it starts. */
  private running: Running | undefined;
  private isEnding = false;
  private startsAgain = false;

  constructor(
    readonly name: string,
    private readonly cluster: Cluster,
  ) {
    this.dice = cluster.seeds.dicePart();
  }

  get isUp(): boolean {
    return this.process?.isAlive === true;
  }

  get isLeader(): boolean {
    return this.isUp && this.running?.election.isLeader() === true;
  }

  /** Absent until the first list is in memory. */
  get replica(): Replica | undefined {
    if (!this.isUp || this.process?.isPaused !== false) return undefined;
    return (this.running?.records.revision() ?? 0) > 0 ? this.running?.replica : undefined;
  }

  get door(): MasterDoor | undefined {
    return this.isUp ? this.running?.door : undefined;
  }

  /** Does nothing while it is up; while it is being terminated it starts right afterwards. */
  start(): void {
    this.startsAgain = this.isEnding;
    if (this.isUp) return;
    this.process = new SimProcess(this.cluster.clock, this.machine);
    this.running = undefined;
    this.cluster.history.note(`${this.name} starts`);
    void this.run(this.process);
  }

  private async run(process: SimProcess): Promise<void> {
    const { clock } = this.cluster;
    const log = this.cluster.log.child({ server: this.name });
    const seen = new SeenRevision(new SimCheckpoints(this.disk, process, clock, this.dice), process, log);
    const running = this.build(process, log, await seen.load());
    this.running = running;
    const { records, restored, stop, election } = running;
    restored.watch(stop.signal);
    await records.start(stop.signal);
    void seen.keep(() => (restored.isNoted ? records.revision() : 0), stop.signal);
    await election.run((term) => this.lead(running, term), stop.signal);
  }

  private build(process: SimProcess, log: Logger, seenRevision: number): Running {
    const { clock, store, leases, seeds } = this.cluster;
    const client = new StoreClient(store, process, clock, this.dice, this.trouble, (committed) =>
      this.cluster.onCommit(committed),
    );
    const ids = seeds.ids();
    const records = new MirrorRecords(client, process, log, noopMetrics(), { history: 100, seenRevision });
    const me: LeaderInfo = {
      id: ids.uuid(),
      hostname: this.name,
      marathonAddress: `${this.name}:8080`,
      mesosAddress: `${this.name}:5050`,
      version: 'sim',
    };
    const election = new LeaseElection(leases.client(client.leaseFaults()), client, me, process, log);
    records.onRewind(() => election.abdicate());
    const restored = new RestoredStore(client, records, process, log, REREGISTER_MS);
    const apps = new GroupManager(records, process, ids, log, { crashPoints: process });
    const replica: Replica = { name: this.name, records, apps };
    const stop = new AbortController();
    return { process, client, stop, records, restored, election, replica, door: undefined };
  }

  /** `kill -9`. */
  crash(): void {
    this.process?.kill();
  }

  pause(): void {
    this.process?.pause();
  }

  resume(): void {
    this.process?.resume();
  }

  /** Nothing is wrong any more. */
  calm(): void {
    Object.assign(this.trouble, noTrouble());
    this.machine.wallOffsetMs = 0;
    this.process?.disarm();
    this.resume();
    this.start();
  }

  /** `kill -9` the next time it comes to this point. */
  crashAt(point: CrashPoint, died: () => void): void {
    this.process?.dieAt(point, died);
  }

  breakWatches(): void {
    this.running?.client.breakWatches();
  }

  /** SIGTERM: the lease is given back; two seconds later the process is gone. */
  terminate(): void {
    const { process, running } = this;
    if (process === undefined || !process.isAlive || this.isEnding) return;
    this.isEnding = true;
    running?.stop.abort();
    this.cluster.clock.after(TERMINATION_MS, () => {
      process.kill();
      this.isEnding = false;
      if (this.startsAgain) this.start();
    });
  }

  /** As if an operator asked for another leader. */
  abdicate(): void {
    this.running?.election.abdicate();
  }

  /** As the composition root does it. */
  private async lead(running: Running, term: Term): Promise<void> {
    const { history, log, watching, seeds } = this.cluster;
    history.note(`${this.name} leads, term ${term.fence.createRevision}`);
    try {
      await running.records.sync();
      const wentBack = await running.restored.why();
      if (wentBack !== undefined) history.note(`${this.name}: ${wentBack}`);
      const roles = rolesOf({
        awaitAgents: wentBack !== undefined,
        onSettled: () => void running.restored.settled(term.fence),
        records: running.records,
        watched: watching(running.records),
        term,
        process: running.process,
        seeds,
        log: log.child({ server: this.name }),
      });
      running.door = { process: running.process, connect: roles.connect };
      await roles.run();
    } finally {
      running.door = undefined;
      history.note(`${this.name} leads no more, term ${term.fence.createRevision}`);
    }
  }
}
