import { BerthError } from '../../src/core/errors';
import type { AppChange, AppService, RolloutStarted } from '../../src/core/ports/app-service';
import type { AppSpecInput } from '../../src/core/records/app';
import type { Records } from '../../src/core/ports/records';
import { appPath } from '../../src/core/records/paths';
import type { Dice } from './dice';
import type { History } from './history';
import { type AppTruth, type Truth, wishOf } from './truth';

/** A replica as a user reaches it. */
export interface Replica {
  readonly name: string;
  readonly records: Records;
  readonly apps: AppService;
}

/** One thing a user asked for; it may take effect while it is under way, and later if nobody knows how it ended. */
interface Attempt {
  readonly number: number;
  readonly appId: string;
  /** What the app is afterwards; undefined: deleted. `any`: whatever it was before (a rollout is undone). */
  readonly wish: string | undefined;
  readonly kind: 'put' | 'restart' | 'scale kill' | 'undo' | 'delete';
  outcome: 'under way' | 'acknowledged' | 'refused' | 'unknown';
  /** It took effect: seen in the store. */
  effects: number;
}

/** Apps that users play with. `/shop/db` fixes its host port, so two of it never fit on one host. */
const APP_IDS = ['/web', '/api', '/shop/db', '/shop/cart'] as const;
const MAX_INSTANCES = 4;

/** Users that change apps through any replica, and the memory of what they were promised. */
export class Users {
  private readonly attempts: Attempt[] = [];
  private operations = 0;
  private pending = 0;

  constructor(
    private readonly dice: Dice,
    private readonly truth: Truth,
    private readonly history: History,
  ) {
    truth.onDefinition = (app, spec, previous) => this.judgeDefinition(app, wishOf(spec), previous && wishOf(previous));
    truth.onDeletion = (app) => this.judgeDeletion(app);
  }

  /** Calls that have not come back. */
  get underWay(): number {
    return this.pending;
  }

  /** Some user does something through this replica. Does not wait for the answer. */
  act(replica: Replica): void {
    const appId = this.dice.one(...APP_IDS);
    const stored = replica.records.collection('App').get(appPath(appId));
    const spec = stored?.record.metadata.deletionTimestamp === undefined ? stored?.record.spec : undefined;
    if (spec === undefined) return this.put(replica, this.newSpec(appId), 'create');
    const action = this.dice.one('scale', 'scale', 'config', 'config', 'restart', 'kill', 'kill', 'undo', 'delete');
    if (action === 'scale') this.put(replica, { ...spec, instances: this.dice.between(0, MAX_INSTANCES) }, 'scale');
    if (action === 'config') this.put(replica, this.changed(spec), 'change');
    if (action === 'restart') this.restart(replica, appId, wishOf(spec));
    if (action === 'kill') this.kill(replica, appId, spec);
    if (action === 'undo') this.undo(replica);
    if (action === 'delete') this.change(replica, [{ kind: 'delete', id: appId }], 'delete', undefined, appId);
  }

  /** After each step: whoever was told that a write is kept must find it in the store. */
  check(): void {
    for (const attempt of this.attempts) {
      if (attempt.outcome !== 'acknowledged' || attempt.effects > 0) continue;
      this.history.violate(
        'no acknowledged write is lost',
        `user ${attempt.number} was promised ${attempt.kind} of ${attempt.appId} (${attempt.wish ?? 'gone'}), the store never had it`,
      );
    }
  }

  private put(replica: Replica, spec: AppSpecInput, what: string): void {
    const change: AppChange = { kind: 'put', spec, mode: 'any' };
    const id = String(spec.id);
    this.change(replica, [change], what, wishOf({ env: spec.env ?? {}, instances: spec.instances ?? 1 }), id);
  }

  private restart(replica: Replica, id: string, wish: string): void {
    this.change(replica, [{ kind: 'restart', id }], 'restart', wish, id);
  }

  private change(
    replica: Replica,
    changes: readonly AppChange[],
    what: string,
    wish: string | undefined,
    appId: string,
  ): void {
    const kind = what === 'delete' ? 'delete' : what === 'restart' ? 'restart' : 'put';
    const attempt = this.attempt(appId, wish, kind);
    const force = this.dice.hit(0.6);
    this.note(attempt, replica, `${what} ${wish ?? ''}${force ? ' by force' : ''}`);
    this.settle(attempt, replica.apps.apply(changes, { force }), ({ apps }) => {
      // A change that changes nothing has no effect to look for.
      const [app] = apps;
      if (kind === 'put' && app !== undefined && this.isKnown(appId, app.spec.version)) attempt.effects += 1;
    });
  }

  private kill(
    replica: Replica,
    appId: string,
    spec: { readonly env: AppSpecInput['env']; readonly instances: number },
  ): void {
    const tasks = [...this.truth.tasks.values()].filter(
      ({ taskId, present }) => present && taskId.startsWith(`${appPath(appId).replaceAll('/', '_')}.instance-`),
    );
    const taskId = this.dice.pick(tasks)?.taskId;
    if (taskId === undefined) return;
    const scale = this.dice.hit(0.4);
    const env = spec.env ?? {};
    const wish = scale ? wishOf({ env, instances: Math.max(0, spec.instances - 1) }) : undefined;
    const attempt = this.attempt(appId, wish, 'scale kill');
    const options = { scale, wipe: !scale && this.dice.hit(0.4), force: this.dice.hit(0.6) };
    this.note(attempt, replica, `kills ${taskId} ${JSON.stringify(options)}`);
    this.settle(attempt, replica.apps.killTasks([taskId], options), ({ rollout }) => {
      if (rollout === undefined) attempt.effects += 1;
    });
  }

  private undo(replica: Replica): void {
    const rollout = this.dice.pick([...this.truth.rollouts.values()]);
    if (rollout === undefined) return;
    const force = this.dice.hit(0.3);
    for (const { id } of rollout.spec.apps) {
      const attempt = this.attempt(id, undefined, 'undo');
      this.note(
        attempt,
        replica,
        `cancels rollout ${rollout.metadata.name.slice(0, 8)}${force ? ' and leaves it so' : ''}`,
      );
      attempt.effects += 1; // what it leads to is judged when it is seen
      this.settle(attempt, replica.apps.cancelRollout(rollout.metadata.name, force), () => undefined);
    }
  }

  private settle<T>(attempt: Attempt, call: Promise<T>, acknowledged: (answer: T) => void): void {
    this.pending += 1;
    call
      .then(
        (answer) => {
          attempt.outcome = 'acknowledged';
          acknowledged(answer);
          this.history.note(`user ${attempt.number}: acknowledged${versionOf(answer)}`);
        },
        (error: unknown) => {
          attempt.outcome = isUnknown(error) ? 'unknown' : 'refused';
          this.history.note(`user ${attempt.number}: ${attempt.outcome}: ${String(error)}`);
          if (!(error instanceof BerthError)) this.history.violate('a refusal has a class', String(error));
        },
      )
      .finally(() => (this.pending -= 1));
  }

  /** Every definition the store gets must be somebody's wish that was not fulfilled before. */
  private judgeDefinition(app: AppTruth, wish: string, previous: string | undefined): void {
    const possible = this.attempts.filter((attempt) => attempt.appId === app.id && attempt.outcome !== 'refused');
    const match = possible.find(
      // A restart changes whatever is there, which need not be what its user saw.
      ({ effects, kind, wish: wanted }) =>
        effects === 0 && (wanted === wish || (kind === 'restart' && wish === previous)),
    );
    if (match !== undefined) return void (match.effects += 1);
    const isUndone = possible.some(({ kind }) => kind === 'undo');
    if (isUndone && app.definitions.some((spec) => wishOf(spec) === wish)) return;
    this.history.violate(
      'no acknowledged write is lost',
      `${app.id} became ${wish} (it was ${previous ?? 'nothing'}) and no user wanted that`,
    );
  }

  private judgeDeletion(app: AppTruth): void {
    const possible = this.attempts.filter((attempt) => attempt.appId === app.id && attempt.outcome !== 'refused');
    const wanted = possible.filter(({ kind }) => kind === 'delete' || kind === 'undo');
    if (wanted.length === 0)
      this.history.violate('no acknowledged write is lost', `${app.id} is deleted, nobody asked`);
    for (const attempt of wanted) attempt.effects += 1;
  }

  private attempt(appId: string, wish: string | undefined, kind: Attempt['kind']): Attempt {
    const attempt: Attempt = {
      number: this.attempts.length + 1,
      appId,
      wish,
      kind,
      outcome: 'under way',
      effects: 0,
    };
    this.attempts.push(attempt);
    return attempt;
  }

  private note(attempt: Attempt, replica: Replica, text: string): void {
    this.history.note(`user ${attempt.number} at ${replica.name}: ${attempt.appId} ${text}`);
  }

  private isKnown(appId: string, version: string): boolean {
    return this.truth.appOf(appId).definitions.some((spec) => spec.version === version);
  }

  private nextOperation(): string {
    this.operations += 1;
    return String(this.operations);
  }

  private changed<T extends AppSpecInput>(spec: T): T {
    const instances = this.dice.hit(0.3) ? this.dice.between(1, MAX_INSTANCES) : (spec.instances ?? 1);
    return { ...spec, instances, env: { ...spec.env, OP: this.nextOperation() } };
  }

  private newSpec(id: string): AppSpecInput {
    const isFixed = id === '/shop/db';
    const network = this.dice.one('bridge', 'host');
    return {
      id,
      instances: isFixed ? this.dice.between(1, 2) : this.dice.between(1, MAX_INSTANCES),
      cpus: this.dice.one(0.5, 1),
      mem: this.dice.one(64, 256),
      cmd: 'run',
      env: { OP: this.nextOperation() },
      container: {
        type: 'DOCKER',
        docker: { image: 'registry/app:1' },
        ...(network === 'bridge' ? { portMappings: [{ containerPort: 80, hostPort: isFixed ? 31_005 : 0 }] } : {}),
      },
      networks: [{ mode: network === 'bridge' ? 'container/bridge' : 'host' }],
      ...(network === 'host' ? { portDefinitions: [{ port: isFixed ? 31_005 : 0 }], requirePorts: isFixed } : {}),
      healthChecks: this.dice.hit(0.5) ? [this.healthCheck()] : [],
      constraints: this.dice.hit(0.2) ? [['hostname', 'GROUP_BY']] : [],
      upgradeStrategy: this.upgradeStrategy(isFixed),
      backoffSeconds: 0.5,
      backoffFactor: 1.3,
      maxLaunchDelaySeconds: 10,
      taskKillGracePeriodSeconds: this.dice.one(1, 3),
      killSelection: this.dice.one('YOUNGEST_FIRST', 'OLDEST_FIRST'),
    };
  }

  private healthCheck(): NonNullable<AppSpecInput['healthChecks']>[number] {
    const common = {
      delaySeconds: 0,
      gracePeriodSeconds: 5,
      intervalSeconds: 3,
      timeoutSeconds: 2,
      maxConsecutiveFailures: 2,
    };
    return this.dice.one(
      { ...common, protocol: 'HTTP' as const, portIndex: 0, path: '/' },
      { ...common, protocol: 'TCP' as const, portIndex: 0 },
      { ...common, protocol: 'COMMAND' as const, command: { value: 'true' } },
    );
  }

  private upgradeStrategy(isFixed: boolean): AppSpecInput['upgradeStrategy'] {
    if (isFixed) return { minimumHealthCapacity: this.dice.one(0, 0.5), maximumOverCapacity: 0 };
    return {
      minimumHealthCapacity: this.dice.one(0, 0.5, 1),
      maximumOverCapacity: this.dice.one(0, 0.25, 0.5, 1),
    };
  }
}

function isUnknown(error: unknown): boolean {
  return error instanceof BerthError && (error.code === 'UNAVAILABLE' || error.code === 'TIMEOUT');
}

function versionOf(answer: unknown): string {
  const version = (answer as Partial<RolloutStarted> | undefined)?.version;
  return version === undefined ? '' : ` ${version}`;
}
