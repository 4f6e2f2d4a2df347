import { ConflictError, UnavailableError } from '../../../src/core/errors';
import type { Write } from '../../../src/core/ports/store';
import { GroupCommit, type Commit, type CommitOutcome, type GroupLimits } from '../../../src/io/etcd/group-commit';
import { settled } from '../../support/fakes';

const LIMITS: GroupLimits = { commits: 4, writes: 10, bytes: 1_000, inFlight: 2, queued: 50 };

/** Groups that were sent and wait for their answer. */
class Wire {
  readonly sent: {
    readonly group: readonly Commit[];
    readonly answer: (outcomes?: CommitOutcome[]) => void;
    readonly fail: (error: Error) => void;
  }[] = [];
  readonly commits: GroupCommit;
  private revision = 0;

  constructor(limits: Partial<GroupLimits> = {}) {
    this.commits = new GroupCommit(
      (group) =>
        new Promise((resolve, reject) =>
          this.sent.push({
            group,
            answer: (outcomes) => resolve(outcomes ?? group.map(() => ++this.revision)),
            fail: reject,
          }),
        ),
      { ...LIMITS, ...limits },
    );
  }

  commit(...writes: Write[]): Promise<number> {
    const done = this.commits.commit({ writes, fence: undefined, bytes: 10 });
    done.catch(() => undefined);
    return done;
  }

  /** Keys of each group that was sent, in order. */
  keys(): string[] {
    return this.sent.map(({ group }) => group.map(({ writes }) => writes.map(({ key }) => key).join('+')).join(' '));
  }

  /** Answers everything until nothing is left. */
  async drain(): Promise<void> {
    for (let at = 0; at < this.sent.length; at++) {
      this.sent[at]?.answer();
      await settled();
    }
  }
}

const put = (key: string): Write => ({ kind: 'put', key, value: '' });
const check = (key: string): Write => ({ kind: 'check', key, expect: 1 });

describe('GroupCommit', () => {
  it('sends at once when idle, what comes in one turn together, and the rest when a group is back', async () => {
    const wire = new Wire();
    for (const key of ['a', 'b']) void wire.commit(put(key));
    await settled();
    void wire.commit(put('c'));
    await settled();
    for (const key of 'defghi') void wire.commit(put(key));
    await settled();
    expect(wire.keys()).toEqual(['a b', 'c']); // two in flight, no more
    expect(wire.commits.queued).toBe(6);
    wire.sent[0]?.answer();
    await settled();
    expect(wire.keys()).toEqual(['a b', 'c', 'd e f g']);
    await wire.drain();
    expect(wire.keys()).toEqual(['a b', 'c', 'd e f g', 'h i']);
    expect(wire.commits.queued).toBe(0);
  });

  test.each<{ name: string; first: Write; second: Write; together: boolean }>([
    { name: 'two writes of one key', first: put('k'), second: put('k'), together: false },
    { name: 'a check after a write', first: put('k'), second: check('k'), together: false },
    { name: 'a write after a check', first: check('k'), second: put('k'), together: false },
    { name: 'a write and a deletion', first: put('k'), second: { kind: 'delete', key: 'k' }, together: false },
    { name: 'two checks of one key', first: check('k'), second: check('k'), together: true },
    { name: 'different keys', first: put('k'), second: put('l'), together: true },
  ])('$name: in one group: $together', async ({ first, second, together }) => {
    const wire = new Wire();
    void wire.commit(put('x'), first);
    void wire.commit(put('y'), second);
    await settled();
    expect(wire.sent).toHaveLength(1);
    expect(wire.sent[0]?.group).toHaveLength(together ? 2 : 1);
    await wire.drain();
    expect(wire.sent).toHaveLength(together ? 1 : 2);
  });

  it('keeps commits on one key in order, past others that need not wait', async () => {
    const wire = new Wire();
    const done: number[] = [];
    for (let i = 0; i < 4; i++) void wire.commit(put('hot')).then(() => done.push(i));
    void wire.commit(put('cold'));
    await settled();
    expect(wire.keys()).toEqual(['hot cold']);
    await wire.drain();
    expect(wire.keys()).toEqual(['hot cold', 'hot', 'hot', 'hot']);
    expect(done).toEqual([0, 1, 2, 3]);
  });

  it('lets a commit wait for all that came before on any of its keys', async () => {
    const wire = new Wire({ inFlight: 5 });
    void wire.commit(put('a'));
    await settled();
    void wire.commit(put('b'));
    await settled();
    void wire.commit(put('a'), put('b'));
    void wire.commit(check('b'));
    await settled();
    expect(wire.keys()).toEqual(['a', 'b']);
    wire.sent[0]?.answer();
    await settled();
    expect(wire.sent).toHaveLength(2);
    wire.sent[1]?.answer();
    await settled();
    expect(wire.keys().slice(2)).toEqual(['a+b']);
    await wire.drain();
    expect(wire.keys().slice(2)).toEqual(['a+b', 'b']);
  });

  it('goes on after a failed commit, with the order kept', async () => {
    const wire = new Wire();
    const first = wire.commit(put('k'));
    const second = wire.commit(put('k'));
    await settled();
    wire.sent[0]?.fail(new UnavailableError('store'));
    await expect(first).rejects.toBeInstanceOf(UnavailableError);
    await settled();
    wire.sent[1]?.answer();
    await expect(second).resolves.toBe(1);
  });

  it('gives each commit of a group its own outcome', async () => {
    const wire = new Wire();
    const outcomes = [wire.commit(put('a')), wire.commit(put('b')), wire.commit(put('c'))];
    await settled();
    wire.sent[0]?.answer([7, new ConflictError('b', 3), 7]);
    expect(await Promise.allSettled(outcomes)).toMatchObject([
      { status: 'fulfilled', value: 7 },
      { status: 'rejected', reason: { code: 'CONFLICT', key: 'b' } },
      { status: 'fulfilled', value: 7 },
    ]);
  });

  test.each<{ name: string; sizes: readonly (readonly [writes: number, bytes: number])[]; groups: number[] }>([
    { name: 'number of commits', sizes: Array.from({ length: 9 }, () => [1, 1] as const), groups: [4, 4, 1] },
    {
      name: 'number of writes',
      sizes: [
        [6, 1],
        [4, 1],
        [1, 1],
        [9, 1],
        [2, 1],
      ],
      groups: [2, 2, 1],
    },
    {
      name: 'bytes',
      sizes: [
        [1, 600],
        [1, 400],
        [1, 1],
        [1, 1000],
      ],
      groups: [2, 1, 1],
    },
    {
      name: 'nothing, when one alone is larger',
      sizes: [
        [40, 9_000],
        [1, 1],
      ],
      groups: [1, 1],
    },
  ])('bounds a group by $name', async ({ sizes, groups }) => {
    const wire = new Wire();
    let made = 0;
    for (const [count, bytes] of sizes) {
      const writes = Array.from({ length: count }, () => put(`k${made++}`));
      void wire.commits.commit({ writes, fence: undefined, bytes });
    }
    await settled();
    await wire.drain();
    expect(wire.sent.map(({ group }) => group.length)).toEqual(groups);
  });

  it('refuses more than it may queue, and takes new ones when there is room', async () => {
    const wire = new Wire({ queued: 5 });
    for (let i = 0; i < 5; i++) void wire.commit(put('k'));
    await expect(wire.commit(put('other'))).rejects.toBeInstanceOf(UnavailableError);
    await wire.drain();
    await settled();
    const late = wire.commit(put('other'));
    await settled();
    await wire.drain();
    await expect(late).resolves.toBeGreaterThan(0);
  });
});
