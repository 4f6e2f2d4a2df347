import { FenceRules, type Committed } from '../checker/fence-rules';
import type { History } from '../checker/history';
import { HostRules } from '../checker/host-rules';
import type { HostView } from '../checker/hosts';
import { RolloutRules } from '../checker/rollout-rules';
import type { RuleClock } from '../checker/time';
import { Truth } from '../checker/truth';
import type { Records } from '../../src/core/ports/records';
import { KEY_ROOT } from '../../src/core/records/paths';
import type { MemoryStore } from '../../src/io/memory/store';
import { Users } from './users';

/** All rules over one history of the store. A store that goes back in time has another one, and gets other judges. */
export class Judges {
  readonly truth: Truth;
  readonly hosts: HostRules;
  readonly rollouts: RolloutRules;
  readonly users: Users;
  private readonly fences: FenceRules;
  private readonly end = new AbortController();

  constructor(history: History, clock: RuleClock, machines: readonly HostView[]) {
    this.truth = new Truth(clock, history);
    this.hosts = new HostRules(this.truth, history, clock);
    this.hosts.hosts.push(...machines);
    this.rollouts = new RolloutRules(this.truth, history, clock);
    this.users = new Users(this.truth, history);
    this.fences = new FenceRules(history);
    this.truth.onLoss = (appId) => this.rollouts.lost(appId);
  }

  /** What the store holds now is taken as it is, what comes is judged. */
  async start(store: MemoryStore): Promise<void> {
    const { onDefinition, onDeletion } = this.truth;
    this.truth.onDefinition = () => undefined;
    this.truth.onDeletion = () => undefined;
    const revision = store.revision();
    for await (const { entries } of store.list(KEY_ROOT, { revision }))
      for (const entry of entries) this.truth.apply({ kind: 'put', entry });
    Object.assign(this.truth, { onDefinition, onDeletion });
    void this.truth.follow(store, this.end.signal);
  }

  stop(): void {
    this.end.abort();
  }

  committed(committed: Committed): void {
    this.fences.committed(committed);
  }

  watching(records: Records): Records {
    return this.rollouts.watching(records);
  }

  /** What can only be judged between two moments. */
  check(): void {
    this.users.check();
    this.fences.check();
  }
}
