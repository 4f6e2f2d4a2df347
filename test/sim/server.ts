import type { CrashPoint } from '../../src/core/ports/crash-points';
import type { Election, LeaderInfo, Term } from '../../src/core/ports/election';
import type { Logger } from '../../src/core/ports/logger';
import type { Records } from '../../src/core/ports/records';
import { RestoredStore } from '../../src/compose/restored-store';
import { LeaseElection } from '../../src/io/election/lease-election';
import type { MemoryLeases } from '../../src/io/memory/leases';
import type { MemoryStore } from '../../src/io/memory/store';
import { MirrorRecords } from '../../src/io/mirror/records';
import { GroupManager } from '../../src/orchestrator/group-manager';
import { type FakeClock, noopMetrics } from '../support/fakes';
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
    return this.running?.process.isAlive === true;
  }

  get isLeader(): boolean {
    return this.isUp && this.running?.election.isLeader() === true;
  }

  /** Absent until the first list is in memory. */
  get replica(): Replica | undefined {
    if (!this.isUp || this.running?.process.isPaused !== false) return undefined;
    return this.running.records.revision() > 0 ? this.running.replica : undefined;
  }

  get door(): MasterDoor | undefined {
    return this.isUp ? this.running?.door : undefined;
  }

  /** Does nothing while it is up; while it is being terminated it starts right afterwards. */
  start(): void {
    this.startsAgain = this.isEnding;
    if (this.isUp) return;
    const { clock, store, leases, seeds, history } = this.cluster;
    const process = new SimProcess(clock, this.machine);
    const log = this.cluster.log.child({ server: this.name });
    const client = new StoreClient(store, process, clock, this.dice, this.trouble, (committed) =>
      this.cluster.onCommit(committed),
    );
    const ids = seeds.ids();
    const records = new MirrorRecords(client, process, log, noopMetrics(), { history: 100 });
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
    const stop = new AbortController();
    const replica: Replica = { name: this.name, records, apps };
    const running: Running = { process, client, stop, records, restored, election, replica, door: undefined };
    this.running = running;
    history.note(`${this.name} starts`);
    void records.start(stop.signal).then(() => election.run((term) => this.lead(running, term), stop.signal));
  }

  /** `kill -9`. */
  crash(): void {
    this.running?.process.kill();
  }

  pause(): void {
    this.running?.process.pause();
  }

  resume(): void {
    this.running?.process.resume();
  }

  /** Nothing is wrong any more. */
  calm(): void {
    Object.assign(this.trouble, noTrouble());
    this.machine.wallOffsetMs = 0;
    this.running?.process.disarm();
    this.resume();
    this.start();
  }

  /** `kill -9` the next time it comes to this point. */
  crashAt(point: CrashPoint, died: () => void): void {
    this.running?.process.dieAt(point, died);
  }

  breakWatches(): void {
    this.running?.client.breakWatches();
  }

  /** SIGTERM: the lease is given back; two seconds later the process is gone. */
  terminate(): void {
    const running = this.running;
    if (running === undefined || !this.isUp || this.isEnding) return;
    this.isEnding = true;
    running.stop.abort();
    this.cluster.clock.after(TERMINATION_MS, () => {
      running.process.kill();
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
