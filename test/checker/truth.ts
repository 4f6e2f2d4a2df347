import type { Change } from '../../src/core/ports/store';
import { KILL_ANNOTATION, type Instance, type RecordOf, type Rollout, type Task } from '../../src/core/records/records';
import type { App } from '../../src/core/records/app';
import { isTerminal } from '../../src/core/records/mesos';
import { appIdOf, lastSegment, parentOf, parseTaskId } from '../../src/core/records/paths';
import { placeOf } from '../../src/io/mirror/codec';
import type { MemoryStore } from '../../src/io/memory/store';
import type { History } from './history';
import type { RuleClock } from './time';

/** A leader whose mirror lags may go on for so long with a rollout that has ended. */
const LAG_MS = 10_000;

/** What the simulation knows about one app, from the store itself and from its beginning. */
export interface AppTruth {
  readonly id: string;
  present: boolean;
  deleting: boolean;
  wasDeleted: boolean;
  /** A user has stopped its last rollout by force: it may stay as mixed as it was then. */
  isLeftHalfDone: boolean;
  /** Every definition the store ever held, oldest first. */
  readonly definitions: App['spec'][];
  /** Some instance of it was declared unreachable then, milliseconds of fake time; what follows may be surplus. */
  unreachableAtMs: number;
  /** An instance of it was back from an agent that had been lost then: it or its replacement is surplus. */
  returnedAtMs: number;
  /** Rollouts under way that replace or remove instances, and when the last of them ended. */
  readonly disturbing: Set<string>;
  disturbedAtMs: number;
  /** Definitions that count until no rollout is left: what a rollout may lead from and to. */
  readonly underWay: App['spec'][];
}

export interface InstanceTruth {
  readonly id: string;
  readonly appId: string;
  readonly createdAtMs: number;
  isLate: boolean;
  goal: Instance['spec']['goal'];
  present: boolean;
  incarnation: number;
  /** Runs that a user asked to kill. */
  readonly killedRuns: Set<number>;
}

export interface TaskTruth {
  readonly taskId: string;
  readonly agentId: string;
  state: Task['status']['state'];
  present: boolean;
  wasRunning: boolean;
  wasTerminal: boolean;
  /** Its record was removed and has been written again. */
  cameBack: boolean;
  wasUnreachable: boolean;
  /** Its health checks failed and have not passed since: it may be ended. */
  isUnhealthy: boolean;
  /** Its kill was asked for while it was unhealthy: that it got well before it ended changes nothing. */
  isGivenUp: boolean;
}

/** What the app is in the words a user chose it by: equal keys, equal wish. `OP` numbers the user's config changes. */
export function wishOf(spec: { readonly env?: App['spec']['env']; readonly instances?: number }): string {
  return `op ${JSON.stringify(spec.env?.['OP'] ?? '-')} x${spec.instances ?? 1}`;
}

/** Follows the store without faults, in order of revision, and checks what can be seen there alone. */
export class Truth {
  readonly apps = new Map<string, AppTruth>();
  readonly instances = new Map<string, InstanceTruth>();
  readonly tasks = new Map<string, TaskTruth>();
  readonly rollouts = new Map<string, Rollout>();
  /** Instances that some user asked to kill, whether or not the wish has reached the store. */
  readonly killedByUsers = new Set<string>();
  /** The listener judges each new definition of an app: is it a user's wish? */
  onDefinition: (app: AppTruth, spec: App['spec'], previous: App['spec'] | undefined) => void = () => undefined;
  onDeletion: (app: AppTruth) => void = () => undefined;
  /** A task of the app may have stopped to serve. */
  onLoss: (appId: string) => void = () => undefined;

  constructor(
    private readonly clock: RuleClock,
    private readonly history: History,
  ) {}

  async follow(store: MemoryStore, signal: AbortSignal): Promise<void> {
    for await (const batch of store.watch('/berth/v1/', store.revision(), signal))
      for (const change of batch.changes) this.apply(change);
  }

  appOf(id: string): AppTruth {
    const known = this.apps.get(id);
    if (known !== undefined) return known;
    const app: AppTruth = {
      id,
      present: false,
      deleting: false,
      wasDeleted: false,
      isLeftHalfDone: false,
      definitions: [],
      unreachableAtMs: Number.NEGATIVE_INFINITY,
      returnedAtMs: Number.NEGATIVE_INFINITY,
      disturbing: new Set(),
      disturbedAtMs: Number.NEGATIVE_INFINITY,
      underWay: [],
    };
    this.apps.set(id, app);
    return app;
  }

  /** Takes in one change; in order of revision. */
  apply(change: Change): void {
    const key = change.kind === 'put' ? change.entry.key : change.key;
    const place = placeOf(key);
    if (place === undefined) return;
    const text = change.kind === 'put' ? change.entry.value : undefined;
    if (place.kind === 'App') this.app(place.path, text);
    if (place.kind === 'Instance') this.instance(place.path, text);
    if (place.kind === 'Task') this.task(place.path, text);
    if (place.kind === 'Rollout') this.rollout(place.path, text);
  }

  private app(path: string, text: string | undefined): void {
    const app = this.appOf(appIdOf(path));
    if (text === undefined) {
      if (!app.deleting) this.history.violate('no acknowledged write is lost', `${app.id} vanished undeleted`);
      this.onDeletion(app);
      app.present = false;
      app.deleting = false;
      this.history.note(`store: app ${app.id} removed`);
      return;
    }
    const record = this.parse('App', text);
    const previous = app.definitions.at(-1);
    const isNew = !app.present || previous?.version !== record.spec.version;
    app.present = true;
    const deleting = record.metadata.deletionTimestamp !== undefined;
    if (deleting && !app.deleting) this.onDeletion(app);
    if (deleting !== app.deleting) this.history.note(`store: app ${app.id} deletion ${deleting ? 'begins' : 'undone'}`);
    app.deleting = deleting;
    app.wasDeleted ||= deleting;
    if (!isNew) {
      if (previous !== undefined && wishOf(previous) !== wishOf(record.spec))
        this.history.violate('no acknowledged write is lost', `${app.id} ${record.spec.version} changed in place`);
      return;
    }
    this.history.note(`store: app ${app.id} ${record.spec.version} ${wishOf(record.spec)}`);
    this.onDefinition(app, record.spec, previous);
    app.definitions.push(record.spec);
    app.underWay.push(record.spec);
  }

  private instance(path: string, text: string | undefined): void {
    const id = lastSegment(path);
    const known = this.instances.get(id);
    if (text === undefined) {
      if (known === undefined) return;
      if (known.goal === 'Running') this.judgeEnd(known, 'deleted');
      known.present = false;
      this.history.note(`store: instance ${short(id)} removed`);
      return;
    }
    const record = this.parse('Instance', text);
    const truth = known ?? {
      id,
      appId: record.spec.appId,
      createdAtMs: this.clock.monotonicMs(),
      isLate: false,
      goal: record.spec.goal,
      present: true,
      incarnation: record.spec.incarnation,
      killedRuns: new Set<number>(),
    };
    // A creation that was given up came late: it is surplus, and must not stay.
    if (known?.present === false) truth.isLate = true;
    truth.present = true;
    const wanted = record.metadata.annotations?.[KILL_ANNOTATION];
    if (wanted !== undefined) truth.killedRuns.add(Number(wanted));
    if (truth.goal === 'Running' && record.spec.goal !== 'Running') this.judgeEnd(truth, record.spec.goal);
    if (known === undefined || truth.goal !== record.spec.goal || truth.incarnation !== record.spec.incarnation)
      this.history.note(
        `store: instance ${short(id)} ${record.spec.goal} run ${record.spec.incarnation} of ${record.spec.appVersion}` +
          (record.spec.reason === undefined ? '' : ` (${record.spec.reason})`),
      );
    truth.goal = record.spec.goal;
    truth.incarnation = record.spec.incarnation;
    this.instances.set(id, truth);
  }

  /** A wanted instance is wanted no more: because of a user's change, or as surplus after others were unreachable. */
  private judgeEnd(instance: InstanceTruth, how: string): void {
    const app = this.appOf(instance.appId);
    const reason =
      !app.present ||
      app.deleting ||
      instance.isLate ||
      instance.killedRuns.size > 0 ||
      this.killedByUsers.has(instance.id) ||
      app.disturbing.size > 0 ||
      app.disturbedAtMs >= instance.createdAtMs - LAG_MS ||
      app.unreachableAtMs >= instance.createdAtMs ||
      app.returnedAtMs >= instance.createdAtMs;
    if (!reason)
      this.history.violate('nothing is killed that nobody asked to kill', `instance ${instance.id} became ${how}`);
  }

  private task(path: string, text: string | undefined): void {
    const taskId = lastSegment(path);
    const known = this.tasks.get(taskId);
    if (text === undefined) {
      if (known !== undefined) known.present = false;
      this.history.note(`store: task ${short(taskId)} removed`);
      return;
    }
    const record = this.parse('Task', text);
    const { state } = record.status;
    const truth = known ?? {
      taskId,
      agentId: parentOf(path),
      state,
      present: true,
      wasRunning: false,
      wasTerminal: false,
      cameBack: false,
      wasUnreachable: false,
      isUnhealthy: false,
      isGivenUp: false,
    };
    if (known === undefined || known.state !== state)
      this.history.note(`store: task ${short(taskId)} ${state} on ${record.spec.agentId.slice(-3)}`);
    // A write that comes late may bring a removed record back for a moment; the end of the run shows that none stays. Its kill may be
    // noted there, but it never gets any further than the launch that was written.
    if (!truth.present) truth.cameBack = true;
    const isStillLate = truth.cameBack && state === 'TASK_STAGING' && record.status.killRequested !== undefined;
    if (truth.present && truth.wasTerminal && !isTerminal(state) && !isStillLate)
      this.history.violate('a terminal task stays so', `${taskId} went from ${truth.state} to ${state}`);
    if (truth.agentId !== parentOf(path))
      this.history.violate('no instance twice', `task ${taskId} is on ${truth.agentId} and on ${parentOf(path)}`);
    if (known?.state === 'TASK_RUNNING' && (state !== 'TASK_RUNNING' || record.status.latest?.health !== undefined))
      this.loss(taskId);
    if (known?.state === 'TASK_UNREACHABLE' && state === 'TASK_RUNNING') this.returned(taskId);
    truth.state = state;
    truth.present = true;
    truth.wasRunning ||= state === 'TASK_RUNNING';
    truth.wasTerminal ||= isTerminal(state);
    const healthy = record.status.latest?.healthy;
    if (healthy !== undefined) truth.isUnhealthy = !healthy;
    truth.isGivenUp ||= truth.isUnhealthy && record.status.killRequested !== undefined;
    if (state === 'TASK_UNREACHABLE') this.unreachable(truth);
    this.tasks.set(taskId, truth);
  }

  private loss(taskId: string): void {
    const appId = this.appIdOf(taskId);
    if (appId !== undefined) this.onLoss(appId);
  }

  private returned(taskId: string): void {
    const appId = this.appIdOf(taskId);
    if (appId !== undefined) this.appOf(appId).returnedAtMs = this.clock.monotonicMs();
  }

  private appIdOf(taskId: string): string | undefined {
    const instance = parseTaskId(taskId)?.instanceId;
    return instance === undefined ? undefined : this.instances.get(instance)?.appId;
  }

  private unreachable(task: TaskTruth): void {
    task.wasUnreachable = true;
    const appId = this.appIdOf(task.taskId);
    if (appId !== undefined) this.appOf(appId).unreachableAtMs = this.clock.monotonicMs();
  }

  private rollout(path: string, text: string | undefined): void {
    const known = this.rollouts.get(path);
    const record = text === undefined ? undefined : this.parse('Rollout', text);
    const isOver = record === undefined || record.status.state === 'Succeeded' || record.status.state === 'Failed';
    if (record !== undefined && (known === undefined || known.status.state !== record.status.state))
      this.history.note(
        `store: rollout ${path.slice(0, 8)} ${record.status.state} ${JSON.stringify(record.spec.steps.flatMap((step) => step.actions))}`,
      );
    if (text === undefined) this.history.note(`store: rollout ${path.slice(0, 8)} removed`);
    if (record === undefined || isOver) this.rollouts.delete(path);
    else this.rollouts.set(path, record);
    if (record !== undefined && known === undefined && !isOver) this.finishesWhatIsHalfDone(record);
    for (const { id, fromVersion, toVersion } of (record ?? known)?.spec.apps ?? []) {
      const app = this.appOf(id);
      if (isOver) this.rolloutOver(app, path);
      else if (this.disturbs(app, record, fromVersion, toVersion)) app.disturbing.add(path);
    }
  }

  private finishesWhatIsHalfDone(rollout: Rollout): void {
    for (const { action, app } of rollout.spec.steps.flatMap((step) => step.actions))
      if (action === 'RestartApplication' || action === 'StopApplication') this.appOf(app).isLeftHalfDone = false;
  }

  private rolloutOver(app: AppTruth, path: string): void {
    if (app.disturbing.delete(path)) app.disturbedAtMs = this.clock.monotonicMs();
    if ([...this.rollouts.values()].some((other) => other.spec.apps.some(({ id }) => id === app.id))) return;
    const last = app.definitions.at(-1);
    app.underWay.splice(0, app.underWay.length, ...(last === undefined ? [] : [last]));
  }

  /** Scaling up and creating end nobody. */
  private disturbs(app: AppTruth, rollout: Rollout, from: string | undefined, to: string | undefined): boolean {
    if (to === undefined) return true;
    const before = app.definitions.find(({ version }) => version === from);
    const after = app.definitions.find(({ version }) => version === to);
    const isShrinking = before !== undefined && after !== undefined && after.instances < before.instances;
    const actions = rollout.spec.steps.flatMap((step) => step.actions).filter((action) => action.app === app.id);
    return isShrinking || actions.some(({ action }) => action === 'RestartApplication' || action === 'StopApplication');
  }

  /** Only what replicas take in as a record gets this far, so it need not be looked at again. */
  private parse<K extends 'App' | 'Instance' | 'Task' | 'Rollout'>(_kind: K, text: string): RecordOf[K] {
    return JSON.parse(text) as RecordOf[K];
  }
}

/** Readable form of instance and task ids. */
export function short(id: string): string {
  return id.replace(/\.instance-(.{6})[^.]*/, '.$1').replace('._app.', '#');
}
