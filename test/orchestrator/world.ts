import { MemoryStore, type StoreFaults } from '../../src/io/memory/store';
import { MirrorRecords } from '../../src/io/mirror/records';
import { instancesOf, type InstanceView } from '../../src/core/lifecycle/views';
import type { AppSpecInput } from '../../src/core/records/app';
import type { RolloutStarted } from '../../src/core/ports/app-service';
import type { Fence } from '../../src/core/ports/store';
import { appPath } from '../../src/core/records/paths';
import { GroupManager, type GroupManagerOptions } from '../../src/orchestrator/group-manager';
import { Orchestrator } from '../../src/orchestrator/orchestrator';
import type { OrchestratorOptions } from '../../src/orchestrator/context';
import {
  FakeClock,
  RecordingCrashPoints,
  RecordingLogger,
  recordingMetrics,
  seededIds,
  seededRandom,
} from '../support/fakes';
import { ScriptedMaster, type AgentScript } from './scripted-master';

export const LEADER_KEY = '/berth/leader';

/** The real group manager and orchestrator on a memory store, with a scripted master and a clock that stands still. */
export class World {
  readonly clock = new FakeClock();
  readonly log = new RecordingLogger();
  readonly metrics = recordingMetrics();
  readonly crashPoints = new RecordingCrashPoints();
  readonly store: MemoryStore;
  readonly records: MirrorRecords;
  readonly master: ScriptedMaster;
  readonly groups: GroupManager;
  term = new AbortController();
  /** What the master says of it. */
  agentsAreBack = true;
  private readonly ids = seededIds(1);
  private readonly life = new AbortController();
  private terms = 0;

  constructor(options: { readonly faults?: StoreFaults; readonly groups?: GroupManagerOptions } = {}) {
    this.store = new MemoryStore(options.faults);
    this.records = new MirrorRecords(this.store, this.clock, this.log, this.metrics);
    this.master = new ScriptedMaster(this.records, this.clock);
    this.groups = new GroupManager(this.records, this.clock, this.ids, this.log, {
      ...options.groups,
      crashPoints: this.crashPoints,
    });
  }

  startRecords(): Promise<void> {
    return this.records.start(this.life.signal);
  }

  async start(agents: readonly AgentScript[] = [], options: OrchestratorOptions = {}): Promise<Orchestrator> {
    await this.startRecords();
    await this.master.addAgents(agents);
    return this.lead(options);
  }

  /** A new term: the old leader is fenced off. */
  async lead(options: OrchestratorOptions = {}): Promise<Orchestrator> {
    this.term.abort();
    this.term = new AbortController();
    this.terms++;
    if (this.terms > 1) await this.store.commit([{ kind: 'delete', key: LEADER_KEY }]);
    const createRevision = await this.store.commit([{ kind: 'put', key: LEADER_KEY, value: '{}', expect: 0 }]);
    const orchestrator = this.orchestrator({ key: LEADER_KEY, createRevision }, options);
    await orchestrator.start();
    return orchestrator;
  }

  orchestrator(fence: Fence, options: OrchestratorOptions = {}): Orchestrator {
    const deps = {
      records: this.records,
      fence,
      signal: this.term.signal,
      driver: this.master,
      agentsAreBack: () => this.agentsAreBack,
      clock: this.clock,
      random: seededRandom(this.terms),
      ids: this.ids,
      log: this.log,
      metrics: this.metrics,
      crashPoints: this.crashPoints,
    };
    return new Orchestrator(deps, options);
  }

  put(spec: Partial<AppSpecInput> & { id: string }, force = false): Promise<RolloutStarted> {
    const complete = { cpus: 0.1, mem: 32, container: { docker: { image: 'busybox' } }, ...spec };
    return this.groups.apply([{ kind: 'put', spec: complete, mode: 'any' }], { force });
  }

  /** Lets everything happen that needs no more than `ms`. */
  run(ms = 50): Promise<void> {
    return this.clock.run(ms);
  }

  async until(condition: () => boolean, limitMs = 60_000): Promise<void> {
    await this.clock.runUntil(condition, limitMs);
  }

  views(appId: string): InstanceView[] {
    return instancesOf(this.records, appId);
  }

  running(appId: string): InstanceView[] {
    return this.views(appId).filter(({ condition }) => condition === 'Running');
  }

  taskIds(appId: string): string[] {
    return this.views(appId).flatMap(({ task }) => (task === undefined ? [] : [task.record.spec.taskId]));
  }

  app(appId: string) {
    return this.records.collection('App').get(appPath(appId));
  }

  rollouts(): string[] {
    return [...this.records.collection('Rollout').list()].map(({ path }) => path);
  }

  events(reason: string): string[] {
    return [...this.records.collection('Event').list()]
      .filter(({ record }) => record.reason === reason)
      .map(({ record }) => record.message);
  }

  async end(): Promise<void> {
    this.term.abort();
    this.life.abort();
    await this.clock.run(10_000);
  }
}
