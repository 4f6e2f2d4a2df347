import { EtcdElection } from '../../../src/io/etcd/election';
import { SystemClock } from '../../../src/io/system/clock';
import type { Term } from '../../../src/core/ports/election';
import { leaderInfo } from '../../contract/election';
import { startEtcd, until } from '../../support/etcd';
import { RecordingLogger } from '../../support/fakes';
import { Closing } from './world';

jest.setTimeout(60_000);
const closing = new Closing();
afterEach(() => closing.all());

describe('an election while etcd is away', () => {
  it('ends the term before the lease can lapse, campaigns again, and does not flood the log', async () => {
    const etcd = await startEtcd();
    closing.add(() => etcd.stop());
    const { store, connection } = closing.store([etcd.endpoint]);
    const log = new RecordingLogger();
    const election = new EtcdElection(connection, store, leaderInfo('a'), new SystemClock(), log, { ttlMs: 2_000 });
    const controller = new AbortController();
    const terms: Term[] = [];
    const running = election.run(async (term) => {
      terms.push(term);
      await new Promise((resolve) => term.signal.addEventListener('abort', resolve));
    }, controller.signal);
    closing.add(async () => {
      controller.abort();
      await running;
    });
    await until(() => election.isLeader(), 'it leads');
    await etcd.kill('SIGKILL');
    await until(() => !election.isLeader(), 'the term ends', 5_000);
    expect(terms[0]?.signal.aborted).toBe(true);
    await etcd.restart(); // with the old leader key and its lease
    await until(() => election.isLeader(), 'it leads again', 15_000);
    expect(terms).toHaveLength(2);
    expect(terms[1]?.fence.createRevision).toBeGreaterThan(terms[0]?.fence.createRevision ?? Infinity);
    expect(log.lines.length).toBeLessThan(15);
  });
});
