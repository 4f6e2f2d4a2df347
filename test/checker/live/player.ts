import type { Change, ChangeBatch } from '../../../src/core/ports/store';
import { type Instance, type Task } from '../../../src/core/records/records';
import type { TaskInfo } from '../../../src/core/records/mesos';
import { lastSegment, parseTaskId } from '../../../src/core/records/paths';
import type { ResourceBag } from '../../../src/core/records/resources';
import { placeOf } from '../../../src/io/mirror/codec';
import { MirrorState } from '../../../src/io/mirror/state';
import { History, Violation } from '../history';
import { HostRules } from '../host-rules';
import type { ContainerView, HostView } from '../hosts';
import { type Attempt, Promises } from '../promises';
import { ReadRules } from '../read-rules';
import { RolloutRules } from '../rollout-rules';
import { Truth } from '../truth';
import type { Observation } from './observation';

/**
 * Effects and answers are judged by what the store had so much later: a commit is seen a moment after it took effect, and longer when
 * the member that tells it has lost its leader. Wishes of users are known from the instant they were sent.
 */
const LATE_MS = 10_000;

export interface Verdict {
  /** The first violated invariant. */
  readonly violation: Violation | undefined;
  /** The last events before the end. */
  readonly text: string;
}

/**
 * Plays a recorded run again, in order of time, against the rules.
 * @param lateMs less where etcd is well: what is judged late is judged by what came after it too
 */
export function judge(
  observations: readonly Observation[],
  hosts: ReadonlyMap<string, ResourceBag>,
  seed = 0,
  replay = '',
  lateMs = LATE_MS,
): Verdict {
  const player = new Player(hosts, seed, replay);
  const playAt = (one: Observation) => one.atMs + (isEffect(one) ? lateMs : 0);
  for (const one of observations.toSorted((a, b) => playAt(a) - playAt(b))) player.play(one);
  return player.finish();
}

function isEffect({ kind }: Observation): boolean {
  return kind === 'container' || kind === 'read' || kind === 'answer' || kind === 'by hand';
}

class PlayedHost implements HostView {
  readonly containers = new Map<string, PlayedContainer>();

  constructor(
    readonly name: string,
    readonly capacity: ResourceBag,
  ) {}

  running(): readonly ContainerView[] {
    return [...this.containers.values()].filter(({ phase }) => phase === 'running');
  }
}

interface PlayedContainer extends ContainerView {
  stopping: boolean;
  phase: ContainerView['phase'];
}

class Player {
  private nowMs = 0;
  private readonly clock = { monotonicMs: () => this.nowMs };
  private readonly history: History;
  private readonly truth: Truth;
  private readonly rules: HostRules;
  private readonly rollouts: RolloutRules;
  private readonly promises: Promises;
  private readonly reads: ReadRules;
  private readonly state = new MirrorState();
  private readonly infos = new Map<string, TaskInfo>();
  private readonly attempts = new Map<number, Attempt>();
  private readonly hosts = new Map<string, PlayedHost>();
  private readonly byHand = new Set<string>();

  constructor(hosts: ReadonlyMap<string, ResourceBag>, seed: number, replay: string) {
    this.history = new History(seed, this.clock, replay);
    this.truth = new Truth(this.clock, this.history);
    this.rules = new HostRules(this.truth, this.history, this.clock);
    this.rollouts = new RolloutRules(this.truth, this.history, this.clock);
    this.promises = new Promises(this.truth, this.history);
    this.reads = new ReadRules(this.truth, this.history);
    this.truth.onLoss = (appId) => this.rollouts.lost(appId);
    for (const [name, capacity] of hosts) this.hosts.set(name, new PlayedHost(name, capacity));
    this.rules.hosts.push(...this.hosts.values());
  }

  play(one: Observation): void {
    this.nowMs = one.atMs;
    if (one.kind === 'commit') this.commit(one);
    if (one.kind === 'attempt') this.attempt(one);
    if (one.kind === 'answer') this.answer(one);
    if (one.kind === 'container') this.container(one);
    if (one.kind === 'by hand') this.handled(one);
    if (one.kind === 'read') this.reads.read(one.replica, one.appId, one.version);
    if (one.kind === 'fault') this.history.note(`== ${one.text}`);
  }

  finish(): Verdict {
    this.promises.check();
    try {
      this.history.check();
      return { violation: undefined, text: this.history.text() };
    } catch (error) {
      if (error instanceof Violation) return { violation: error, text: this.history.text() };
      throw error;
    }
  }

  private commit({ revision, changes }: Extract<Observation, { kind: 'commit' }>): void {
    const batch: ChangeBatch = { revision, changes: changes.map((change) => changeOf(change, revision)) };
    for (const change of batch.changes) {
      const place = change.kind === 'put' ? placeOf(change.entry.key) : undefined;
      if (change.kind !== 'put' || place === undefined) continue;
      if (place.kind === 'Instance')
        this.rollouts.committed(this.state, place.path, JSON.parse(change.entry.value) as Instance);
      if (place.kind === 'Task')
        this.infos.set(lastSegment(place.path), (JSON.parse(change.entry.value) as Task).spec.info);
    }
    for (const change of batch.changes) this.truth.apply(change);
    this.state.apply(batch);
  }

  private attempt(one: Extract<Observation, { kind: 'attempt' }>): void {
    this.history.note(`user ${one.number}: ${one.what} ${one.appId} ${one.wish ?? ''} ${one.taskId ?? ''}`);
    if (one.taskId !== undefined) this.truth.killedByUsers.add(parseTaskId(one.taskId)?.instanceId ?? '');
    if (one.leavesHalfDone === true) this.truth.appOf(one.appId).isLeftHalfDone = true;
    this.attempts.set(one.number, this.promises.attempt(one.appId, one.wish, one.what));
  }

  private answer({ number, outcome, version, why }: Extract<Observation, { kind: 'answer' }>): void {
    const attempt = this.attempts.get(number);
    if (attempt === undefined) throw new Error(`the recording has an answer to ${number}, which nobody asked`);
    if (outcome === 'acknowledged') this.promises.acknowledged(attempt, version);
    else this.promises.failed(attempt, outcome === 'unknown', why ?? '');
  }

  private handled({ taskId, what }: Extract<Observation, { kind: 'by hand' }>): void {
    this.byHand.add(taskId);
    this.history.note(`by hand: ${taskId} ${what}`);
    const container = [...this.hosts.values()]
      .map((host) => host.containers.get(taskId))
      .find((one) => one !== undefined);
    if (container !== undefined && what === 'removed') this.rules.wasRemoved(container);
  }

  private container({ host: name, taskId, what }: Extract<Observation, { kind: 'container' }>): void {
    const host = this.hosts.get(name);
    if (host === undefined) throw new Error(`the recording has a container on ${name}, which is no host`);
    const known = host.containers.get(taskId);
    if (what === 'started') {
      const started: PlayedContainer = { taskId, info: this.infoOf(taskId), stopping: false, phase: 'running' };
      host.containers.set(taskId, started);
      return this.rules.started(host, started);
    }
    if (known === undefined) return;
    if (what === 'stop asked' && !this.byHand.has(taskId) && known.phase === 'running') {
      this.rules.stopAsked(host, known);
      known.stopping = true;
    }
    if (what === 'ended') {
      known.phase = 'exited';
      this.rules.ended(host, known);
    }
    if (what === 'removed') host.containers.delete(taskId);
  }

  /** One that the store never had breaks a rule of its own. */
  private infoOf(taskId: string): TaskInfo {
    return (
      this.infos.get(taskId) ?? { name: taskId, task_id: { value: taskId }, agent_id: { value: '' }, resources: [] }
    );
  }
}

function changeOf({ key, value }: { readonly key: string; readonly value: string | null }, revision: number): Change {
  if (value === null) return { kind: 'delete', key, revision };
  return { kind: 'put', entry: { key, value, revision, createRevision: revision } };
}
