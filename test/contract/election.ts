import type { Election, LeaderInfo, Term } from '../../src/core/ports/election';
import { FencedError } from '../../src/core/errors';
import type { Store } from '../../src/core/ports/store';

export const TTL_MS = 2_000;

/** One candidate: its election and the store as it sees it. */
export interface Candidate {
  readonly election: Election;
  readonly store: Store;
  readonly me: LeaderInfo;
  /** Cuts it off from the store, as a dead network or a SIGKILL would: nothing it sends arrives, nothing is revoked. */
  cutOff(): void;
}

/** A cluster under test. */
export interface ElectionUnderTest {
  candidate(id: string): Candidate;
  /** Lets time pass until the condition holds; throws after `limitMs`. */
  until(condition: () => boolean, what: string, limitMs?: number): Promise<void>;
  nowMs(): number;
  /** Deletes the leader key by hand. */
  removeLeaderKey(): Promise<void>;
  close(): Promise<void>;
}

export function leaderInfo(id: string): LeaderInfo {
  return { id, hostname: `${id}.example`, marathonAddress: `${id}:8080`, mesosAddress: `${id}:5050`, version: '1' };
}

/** Runs a candidate and keeps what happened to it. */
class Runner {
  readonly terms: Term[] = [];
  readonly stop = new AbortController();
  readonly done: Promise<void>;

  constructor(
    readonly candidate: Candidate,
    lead: (term: Term) => Promise<void> = untilEnded,
  ) {
    this.done = candidate.election.run((term) => {
      this.terms.push(term);
      return lead(term);
    }, this.stop.signal);
  }

  get leads(): boolean {
    return this.candidate.election.isLeader();
  }
}

function untilEnded(term: Term): Promise<void> {
  return new Promise((resolve) => {
    if (term.signal.aborted) resolve();
    term.signal.addEventListener('abort', () => resolve());
  });
}

/** The contract of the port Election, run on every implementation. */
export function describeElection(name: string, open: () => Promise<ElectionUnderTest>): void {
  describe(`Election contract: ${name}`, () => {
    let world: ElectionUnderTest;
    let runners: Runner[];
    beforeEach(async () => {
      world = await open();
      runners = [];
    });
    afterEach(async () => {
      for (const runner of runners) runner.stop.abort();
      await Promise.all(runners.map((runner) => runner.done));
      await world.close();
    });

    const run = (id: string, lead?: (term: Term) => Promise<void>) => {
      const runner = new Runner(world.candidate(id), lead);
      runners.push(runner);
      return runner;
    };
    const leader = async (among: readonly Runner[]): Promise<Runner> => {
      await world.until(() => among.some((runner) => runner.leads), 'somebody leads');
      const found = among.find((runner) => runner.leads);
      if (found === undefined) throw new Error('nobody leads');
      return found;
    };

    it('elects one of several, and all know whom', async () => {
      const all = ['a', 'b', 'c'].map((id) => run(id));
      const first = await leader(all);
      const { me } = first.candidate;
      await world.until(() => all.every((runner) => runner.candidate.election.leader()?.id === me.id), 'all know');
      expect(first.candidate.election.leader()).toEqual(me);
      expect(all.filter((runner) => runner.leads)).toHaveLength(1);
      expect(all.flatMap((runner) => runner.terms)).toHaveLength(1);
    });

    it('gives a fence that lets exactly this term write', async () => {
      const runner = run('a');
      await leader([runner]);
      const { store, election } = runner.candidate;
      const fence = runner.terms[0]?.fence;
      await store.commit([{ kind: 'put', key: '/t/x', value: '1' }], fence);
      election.abdicate();
      await world.until(() => runner.terms.length === 2, 'a second term');
      await expect(store.commit([{ kind: 'put', key: '/t/x', value: '2' }], fence)).rejects.toBeInstanceOf(FencedError);
      await store.commit([{ kind: 'put', key: '/t/x', value: '3' }], runner.terms[1]?.fence);
    });

    it('gives leadership to another when told to', async () => {
      const all = ['a', 'b', 'c'].map((id) => run(id));
      for (let i = 0; i < 5; i++) {
        const before = await leader(all);
        const { id } = before.candidate.me;
        await world.until(() => all.every((runner) => runner.candidate.election.leader()?.id === id), 'all know');
        before.candidate.election.abdicate();
        await world.until(() => !before.leads, 'the old one has ended');
        expect(await leader(all)).not.toBe(before);
      }
    });

    it('lets others lead when one cannot', async () => {
      const broken = run('a', () => Promise.reject(new Error('this one cannot lead')));
      await world.until(() => broken.terms.length > 0, 'the broken one is elected');
      const sound = run('b');
      await world.until(() => sound.leads, 'the sound one leads');
      expect(sound.terms).toHaveLength(1);
    });

    it('keeps leading far longer than the lease lasts', async () => {
      const [a, b] = [run('a'), run('b')];
      const first = await leader([a, b]);
      const endMs = world.nowMs() + 2 * TTL_MS;
      await world.until(() => world.nowMs() > endMs, 'twice the lease');
      expect(first.leads).toBe(true);
      expect(a.terms.length + b.terms.length).toBe(1);
      expect(first.terms[0]?.signal.aborted).toBe(false);
    });

    it('hands over at once when the leader stops', async () => {
      const [a, b] = [run('a'), run('b')];
      const first = await leader([a, b]);
      const second = first === a ? b : a;
      await world.until(() => second.candidate.election.leader() !== undefined, 'the other knows the leader');
      const startMs = world.nowMs();
      first.stop.abort();
      await world.until(() => second.leads, 'the other leads');
      expect(world.nowMs() - startMs).toBeLessThan(TTL_MS / 2); // not by waiting for the lease
      expect(first.terms[0]?.signal.aborted).toBe(true);
      expect(first.leads).toBe(false);
      await first.done;
    });

    it('lets another take over after a crash, never two at once, and fences the old one', async () => {
      const [a, b] = [run('a'), run('b')];
      const first = await leader([a, b]);
      const second = first === a ? b : a;
      let both = false;
      const term = first.terms[0];
      first.candidate.cutOff();
      await world.until(
        () => {
          both ||= first.leads && second.leads;
          return second.leads;
        },
        'the other leads',
        5 * TTL_MS,
      );
      expect(both).toBe(false);
      expect([term?.isHeld(), term?.signal.aborted]).toEqual([false, true]);
      const late = second.candidate.store.commit([{ kind: 'put', key: '/t/x', value: 'late' }], term?.fence);
      await expect(late).rejects.toBeInstanceOf(FencedError);
    });

    it('ends the term when somebody removes the leader key, and holds a new election', async () => {
      const runner = run('a');
      await leader([runner]);
      await world.removeLeaderKey();
      await world.until(() => runner.terms.length === 2, 'a new term');
      expect(runner.terms[0]?.signal.aborted).toBe(true);
      expect(runner.terms[1]?.fence.createRevision).not.toBe(runner.terms[0]?.fence.createRevision);
    });

    it('waits for the work of one term before it campaigns for the next', async () => {
      let finish: () => void = () => undefined;
      const runner = run('a', () => new Promise((resolve) => (finish = resolve)));
      await leader([runner]);
      runner.candidate.election.abdicate();
      expect(runner.leads).toBe(false);
      const other = run('b');
      await world.until(() => other.leads, 'the other leads meanwhile');
      other.stop.abort();
      await other.done;
      expect(runner.terms).toHaveLength(1);
      finish();
      await world.until(() => runner.terms.length === 2, 'the next term');
      runner.stop.abort();
      finish();
    });

    it('survives work that throws, and gives the leadership back', async () => {
      let fails = 0;
      const runner = run('a', async (term) => {
        fails += 1;
        if (fails < 3) throw new Error('bug');
        await untilEnded(term);
      });
      await world.until(() => fails === 3 && runner.leads, 'the third term', 5 * TTL_MS);
      expect(runner.terms[0]?.signal.aborted).toBe(true);
    });

    it('tells listeners who leads until they leave', async () => {
      const a = world.candidate('a');
      const heard: (string | undefined)[] = [];
      const leave = a.election.onChange((info) => heard.push(info?.id));
      const runner = new Runner(a);
      runners.push(runner);
      await world.until(() => heard.includes('a'), 'the listener knows');
      leave();
      runner.stop.abort();
      await runner.done;
      expect(heard).toEqual(['a']);
    });

    it('leads nothing when it is aborted before it starts', async () => {
      const candidate = world.candidate('a');
      let led = false;
      await candidate.election.run(async () => void (led = true), AbortSignal.abort());
      expect(led).toBe(false);
      expect(candidate.election.isLeader()).toBe(false);
    });
  });
}
