import { LIMITS } from '../../../src/core/limits';
import type { CheckpointStore } from '../../../src/core/ports/checkpoint';
import { SeenRevision } from '../../../src/io/mirror/seen-revision';
import { FakeClock, RecordingLogger } from '../../support/fakes';

/** A disk that may be full. */
class Disk implements CheckpointStore {
  readonly documents = new Map<string, string>();
  isFull = false;
  writes = 0;

  list(): ReturnType<CheckpointStore['list']> {
    const documents = [...this.documents].map(([name, text]) => ({ name, text }));
    return Promise.resolve({ documents, unreadable: [] });
  }
  async write(name: string, text: string): Promise<void> {
    if (this.isFull) throw new Error('ENOSPC');
    this.writes += 1;
    this.documents.set(name, text);
  }
  remove(): Promise<void> {
    return Promise.resolve();
  }
  setAside(): Promise<string> {
    return Promise.resolve('');
  }
}

describe('how far the store had gone', () => {
  const clock = new FakeClock();
  const log = new RecordingLogger();
  const end = new AbortController();
  afterAll(() => end.abort());

  const keep = async (disk: Disk, revision: () => number) => {
    void new SeenRevision(disk, clock, log).keep(revision, end.signal);
    await clock.run(0);
  };

  test('is known to the next process', async () => {
    const disk = new Disk();
    const seen = new SeenRevision(disk, clock, log);
    expect(await seen.load()).toBe(0);
    let revision = 7;
    await keep(disk, () => revision);
    await clock.run(LIMITS.seenRevisionMs);
    expect(await seen.load()).toBe(7);
    revision = 9;
    await clock.run(LIMITS.seenRevisionMs);
    expect(await seen.load()).toBe(9);
    revision = 3; // the store went back, and that was noticed
    await clock.run(LIMITS.seenRevisionMs);
    expect(await seen.load()).toBe(3);
  });

  test('is written only when it has changed', async () => {
    const disk = new Disk();
    await keep(disk, () => 7);
    await clock.run(10 * LIMITS.seenRevisionMs);
    expect(disk.writes).toBe(1);
  });

  test('is written when the disk has room again', async () => {
    const disk = new Disk();
    disk.isFull = true;
    await keep(disk, () => 7);
    await clock.run(LIMITS.seenRevisionMs);
    disk.isFull = false;
    await clock.run(LIMITS.seenRevisionMs);
    expect(await new SeenRevision(disk, clock, log).load()).toBe(7);
  });

  test.each(['', '{"cut', '"7"', '-1.5', 'null'])('is unknown when the disk says %j', async (text) => {
    const disk = new Disk();
    disk.documents.set('store', text);
    expect(await new SeenRevision(disk, clock, log).load()).toBe(0);
  });

  test('is unknown without a disk, and the server starts all the same', async () => {
    const disk = new Disk();
    disk.list = () => Promise.reject(new Error('EACCES'));
    expect(await new SeenRevision(disk, clock, log).load()).toBe(0);
    expect(log.messages('warn')).toContain('it is not known how far the store had gone');
  });
});
