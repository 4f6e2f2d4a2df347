import { BerthError } from '../../src/core/errors';
import type { AppChange, AppService } from '../../src/core/ports/app-service';
import type { AppSpecInput } from '../../src/core/records/app';
import type { Records } from '../../src/core/ports/records';
import { appPath, parseTaskId } from '../../src/core/records/paths';
import { Dice } from './dice';
import type { History } from '../checker/history';
import { type Attempt, Promises } from '../checker/promises';
import { type Truth, wishOf } from '../checker/truth';

/** A replica as a user reaches it. */
export interface Replica {
  readonly name: string;
  readonly records: Records;
  readonly apps: AppService;
}

/** Apps that users play with. */
const APP_IDS = ['/web', '/api', '/shop/db', '/shop/cart'] as const;
/** Needs a host port of its own, so each instance needs a host of its own. */
const FIXED_PORT = '/shop/db';

/** One act of a user, drawn before anybody knows what there is to act upon. A missing app is created, whatever the act. */
export interface Wish {
  readonly app: string;
  readonly act: string;
  /** Seed of the details. */
  readonly chance: number;
}

export function drawWish(dice: Dice): Wish {
  return {
    app: dice.one(...APP_IDS),
    act: dice.one('scale', 'scale', 'config', 'config', 'restart', 'kill', 'kill', 'undo', 'delete'),
    chance: dice.between(1, 2 ** 31 - 1),
  };
}

/** Users that change apps through any replica, and the memory of what they were promised. */
export class Users {
  private readonly promises: Promises;
  private operations = 0;
  /** Of the act at hand. */
  private dice = new Dice(0);

  constructor(
    private readonly truth: Truth,
    private readonly history: History,
  ) {
    this.promises = new Promises(truth, history);
  }

  /** Some user does something through this replica. Does not wait for the answer. */
  act(replica: Replica, wish: Wish): void {
    this.dice = new Dice(wish.chance);
    const { app: appId, act } = wish;
    const stored = replica.records.collection('App').get(appPath(appId));
    const spec = stored?.record.metadata.deletionTimestamp === undefined ? stored?.record.spec : undefined;
    if (spec === undefined) return this.put(replica, this.newSpec(appId), 'create');
    if (act === 'scale') this.put(replica, { ...spec, instances: this.dice.between(0, mostOf(appId)) }, 'scale');
    if (act === 'config') this.put(replica, this.changed(spec), 'change');
    if (act === 'restart') this.restart(replica, appId, wishOf(spec));
    if (act === 'kill') this.kill(replica, appId, spec);
    if (act === 'undo') this.undo(replica);
    if (act === 'delete') this.change(replica, [{ kind: 'delete', id: appId }], 'delete', undefined, appId);
  }

  /** After each step: whoever was told that a write is kept finds it in the store, and nothing is there unasked. */
  check(): void {
    this.promises.check();
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
    const attempt = this.promises.attempt(appId, wish, kind);
    const force = this.dice.hit(0.6);
    this.note(attempt, replica, `${what} ${wish ?? ''}${force ? ' by force' : ''}`);
    this.settle(attempt, replica.apps.apply(changes, { force }), ({ version }) => version);
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
    const attempt = this.promises.attempt(appId, wish, 'scale kill');
    this.truth.killedByUsers.add(parseTaskId(taskId)?.instanceId ?? '');
    const options = { scale, wipe: !scale && this.dice.hit(0.4), force: this.dice.hit(0.6) };
    this.note(attempt, replica, `kills ${taskId} ${JSON.stringify(options)}`);
    this.settle(attempt, replica.apps.killTasks([taskId], options), ({ rollout }) => rollout?.version);
  }

  private undo(replica: Replica): void {
    const rollout = this.dice.pick([...this.truth.rollouts.values()]);
    if (rollout === undefined) return;
    const force = this.dice.hit(0.3);
    for (const { id } of rollout.spec.apps) {
      const attempt = this.promises.attempt(id, undefined, 'undo');
      this.note(
        attempt,
        replica,
        `cancels rollout ${rollout.metadata.name.slice(0, 8)}${force ? ' and leaves it so' : ''}`,
      );
      if (force) this.truth.appOf(id).isLeftHalfDone = true;
      this.settle(attempt, replica.apps.cancelRollout(rollout.metadata.name, force), (started) => started?.version);
    }
  }

  private settle<T>(attempt: Attempt, call: Promise<T>, versionOf: (answer: T) => string | undefined): void {
    call.then(
      (answer) => this.promises.acknowledged(attempt, versionOf(answer)),
      (error: unknown) => {
        this.promises.failed(attempt, isUnknown(error), String(error));
        if (!(error instanceof BerthError)) this.history.violate('a refusal has a class', String(error));
      },
    );
  }

  private note(attempt: Attempt, replica: Replica, text: string): void {
    this.history.note(`user ${attempt.number} at ${replica.name}: ${attempt.appId} ${text}`);
  }

  private nextOperation(): string {
    this.operations += 1;
    return String(this.operations);
  }

  private changed<T extends AppSpecInput>(spec: T): T {
    const instances = this.dice.hit(0.3) ? this.dice.between(1, mostOf(String(spec.id))) : (spec.instances ?? 1);
    return { ...spec, instances, env: { ...spec.env, OP: this.nextOperation() } };
  }

  private newSpec(id: string): AppSpecInput {
    const isFixed = id === FIXED_PORT;
    const network = this.dice.one('bridge', 'host');
    return {
      id,
      instances: this.dice.between(1, mostOf(id)),
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

function mostOf(appId: string): number {
  return appId === FIXED_PORT ? 2 : 4;
}

function isUnknown(error: unknown): boolean {
  return error instanceof BerthError && (error.code === 'UNAVAILABLE' || error.code === 'TIMEOUT');
}
