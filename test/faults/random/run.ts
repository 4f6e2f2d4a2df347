import { parseResources } from '../../../src/core/records/resource-text';
import { ResourceBag } from '../../../src/core/records/resources';
import { EngineObserver } from '../../checker/live/engine-observer';
import { Recording } from '../../checker/live/observation';
import { judge } from '../../checker/live/player';
import { StoreObserver } from '../../checker/live/store-observer';
import { unfinished } from '../../checker/convergence';
import { History, type Violation } from '../../checker/history';
import type { ContainerView, HostView } from '../../checker/hosts';
import { Truth } from '../../checker/truth';
import { Dice } from '../../sim/dice';
import { OFFERED } from '../../testbed/agent-host';
import { Testbed, type TestbedOptions } from '../../testbed/testbed';
import { Chaos } from './chaos';
import { RandomUsers } from './users';

/** Within which everything must be as wanted after the last fault, milliseconds. */
const CALM_LIMIT_MS = 60_000;
/** Then nothing may move any more for so long. */
const QUIET_MS = 5_000;
const READ_EVERY_MS = 400;
const POLL_MS = 250;

export interface RandomOptions {
  readonly seed: number;
  /** All rounds together, minutes. */
  readonly minutes: number;
  /** Trouble before each calm, seconds. */
  readonly roundSeconds: number;
  readonly bed: TestbedOptions;
  readonly say: (line: string) => void;
}

export interface RandomResult {
  readonly rounds: number;
  readonly faults: number;
  readonly edits: number;
  /** From the end of the last fault of each round to when all was as wanted, milliseconds. */
  readonly convergedMs: readonly number[];
  readonly failure: string | undefined;
  readonly recording: Recording;
}

/** The same as amounts, for the rules. */
export const BED_CAPACITY = ResourceBag.of(parseResources(OFFERED));

/** Rounds of faults and edits on a real bed; after each everything must converge, and no rule be broken. */
export async function randomRun(options: RandomOptions): Promise<RandomResult> {
  const bed = await Testbed.up(options.bed);
  const run = new RandomRun(bed, options);
  try {
    return await run.run();
  } finally {
    await run.stop();
    await bed.down();
  }
}

class RandomRun {
  private readonly recording = new Recording();
  private readonly store = new StoreObserver(this.recording);
  private readonly engines: EngineObserver[];
  private readonly users: RandomUsers;
  private readonly dice: Dice;
  /** The truth of this moment, for what users left half done. */
  private readonly truth: Truth;
  private readonly reading = new AbortController();
  private readers: Promise<void> = Promise.resolve();
  private readonly convergedMs: number[] = [];
  private rounds = 0;
  private faults = 0;

  constructor(
    private readonly bed: Testbed,
    private readonly options: RandomOptions,
  ) {
    const clock = { monotonicMs: () => this.recording.nowMs() };
    this.truth = new Truth(clock, new History(options.seed, clock));
    this.store.onChanges = (changes) => {
      for (const change of changes) this.truth.apply(change);
    };
    this.dice = new Dice(options.seed);
    this.engines = bed.hosts.map((host) => new EngineObserver(host.node.name, host.dockerSocket, this.recording));
    this.users = new RandomUsers(new Dice(options.seed + 1), bed.servers, this.recording, this.store);
    this.users.onLeftHalfDone = (appId) => void (this.truth.appOf(appId).isLeftHalfDone = true);
  }

  async run(): Promise<RandomResult> {
    await this.store.start(this.bed.etcd.map(({ endpoint }) => endpoint));
    for (const engine of this.engines) engine.start();
    this.readers = this.read();
    const endMs = this.recording.nowMs() + this.options.minutes * 60_000;
    let failure: string | undefined;
    while (failure === undefined && (this.rounds === 0 || this.recording.nowMs() < endMs)) failure = await this.round();
    const { rounds, faults, convergedMs, recording } = this;
    return { rounds, faults, edits: this.users.attempts, convergedMs, failure, recording };
  }

  async stop(): Promise<void> {
    this.reading.abort();
    await this.readers;
    await Promise.all([this.store.stop(), ...this.engines.map((engine) => engine.stop())]);
  }

  /** Undefined: all is well. */
  private async round(): Promise<string | undefined> {
    this.rounds++;
    const chaos = new Chaos(this.bed, this.dice, this.recording, () => this.store.state.revision);
    const endMs = this.recording.nowMs() + this.options.roundSeconds * 1000;
    while (this.recording.nowMs() < endMs) {
      if (this.dice.hit(0.5)) this.users.act();
      if (this.dice.hit(0.4)) chaos.strike();
      await pause(this.dice.one(50, 300, 800, 1_500));
    }
    await chaos.calm();
    this.faults += chaos.faults;
    const calmMs = this.recording.nowMs();
    await this.users.settled();
    const failure = await this.converged(calmMs);
    const verdict = this.judge();
    this.options.say(
      `round ${this.rounds}: ${chaos.faults} faults, ${this.users.attempts} edits so far, ` +
        (failure === undefined
          ? `converged in ${((this.convergedMs.at(-1) ?? 0) / 1000).toFixed(1)} s`
          : 'NOT CONVERGED'),
    );
    return verdict === undefined ? failure : `${verdict.message}\n${failure ?? ''}`;
  }

  private async converged(calmMs: number): Promise<string | undefined> {
    for (;;) {
      const problems = await this.problems();
      const tookMs = this.recording.nowMs() - calmMs;
      if (problems.length === 0) {
        this.convergedMs.push(tookMs);
        break;
      }
      if (tookMs > CALM_LIMIT_MS)
        return `not converged ${CALM_LIMIT_MS / 1000} s after the last fault:\n${problems.join('\n')}`;
      await pause(POLL_MS);
    }
    const before = await this.picture();
    await pause(QUIET_MS);
    const problems = await this.problems();
    const after = await this.picture();
    if (before === after && problems.length === 0) return undefined;
    return `not quiet when converged:\n${before}\nbecame\n${after}\n${problems.join('\n')}`;
  }

  private async problems(): Promise<string[]> {
    const hosts = await this.hosts().catch((error: unknown) => String(error));
    return typeof hosts === 'string' ? [hosts] : unfinished(this.store.state, hosts, this.truth);
  }

  /** What every engine really has. */
  private async hosts(): Promise<HostView[]> {
    return Promise.all(
      this.bed.hosts.map(async (host) => {
        const found = await host.containers();
        const containers = new Map(found.map((one) => [one.taskId, this.viewOf(one.taskId, one.state)]));
        if (containers.size !== found.length) throw new Error(`${host.node.name} has two containers for one task`);
        const running = () => [...containers.values()].filter(({ phase }) => phase === 'running');
        return { name: host.node.name, capacity: BED_CAPACITY, containers, running };
      }),
    );
  }

  private viewOf(taskId: string, state: string): ContainerView {
    const task = [...this.store.state.collection('Task').list()].find(({ record }) => record.spec.taskId === taskId);
    const info = task?.record.spec.info ?? {
      name: taskId,
      task_id: { value: taskId },
      agent_id: { value: '' },
      resources: [],
    };
    const phase = state === 'running' || state === 'paused' ? 'running' : state === 'created' ? 'created' : 'exited';
    return { taskId, info, stopping: false, phase };
  }

  private async picture(): Promise<string> {
    return [...(await this.bed.running())]
      .map(([task, id]) => `${task} ${id.slice(0, 12)}`)
      .toSorted()
      .join('\n');
  }

  private judge(): Violation | undefined {
    const hosts = new Map(this.bed.hosts.map(({ node }) => [node.name, BED_CAPACITY]));
    const { seed } = this.options;
    return judge(this.recording.observations, hosts, seed, `npm run test:faults -- --seed ${seed}`).violation;
  }

  private async read(): Promise<void> {
    while (!this.reading.signal.aborted) {
      await this.users.readAll();
      await pause(READ_EVERY_MS);
    }
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
