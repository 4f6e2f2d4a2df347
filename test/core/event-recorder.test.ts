import { eventPath, eventWrite, expiredEvents, type EventDraft } from '../../src/core/records/event-recorder';
import type { Stored } from '../../src/core/ports/records';
import { eventSchema, type BerthEvent } from '../../src/core/records/records';

const draft = (over: Partial<EventDraft> = {}): EventDraft => ({
  involvedObject: { kind: 'Agent', name: 'm-S1' },
  type: 'Warning',
  reason: 'AgentUnreachable',
  message: 'gone silent',
  ...over,
});

const occurrence = (nowMs: number, count = 1) => ({ nowMs, count, source: 'master', uid: `uid-${nowMs}` });

function stored(event: EventDraft, nowMs: number, known?: Stored<BerthEvent>): Stored<BerthEvent> {
  const write = eventWrite(event, known, occurrence(nowMs));
  if (write.op !== 'put' || write.kind !== 'Event') throw new Error('not an event');
  return { path: write.path, record: write.record, revision: 1 };
}

describe('eventPath', () => {
  test('is one per object and reason, in the namespace of the object', () => {
    expect(eventPath(draft())).toBe('default/agent.m-s1.agentunreachable');
    expect(eventPath(draft({ message: 'other words' }))).toBe(eventPath(draft()));
    expect(eventPath(draft({ reason: 'Other' }))).not.toBe(eventPath(draft()));
    expect(eventPath(draft({ involvedObject: { kind: 'App', namespace: 'prod', name: 'web' } }))).toBe(
      'prod/app.web.agentunreachable',
    );
    expect(eventPath(draft({ involvedObject: { kind: 'Role', name: 'a/b' } }))).toBe(
      'default/role.a.b.agentunreachable',
    );
  });
});

describe('eventWrite', () => {
  test('makes a record that its schema accepts', () => {
    const { record, path } = stored(draft(), 1_000);
    expect(eventSchema.parse(record)).toEqual(record);
    expect(`${record.metadata.namespace}/${record.metadata.name}`).toBe(path);
    expect(record).toMatchObject({ count: 1, source: 'master', firstTimestamp: record.lastTimestamp });
  });

  test('a repeat raises the count and keeps the first time and the uid', () => {
    const first = stored(draft(), 1_000);
    const second = stored(draft({ message: 'again' }), 5_000, first);
    expect(second.record).toMatchObject({
      count: 2,
      message: 'again',
      firstTimestamp: first.record.firstTimestamp,
      lastTimestamp: '1970-01-01T00:00:05.000Z',
      metadata: { uid: 'uid-1000' },
    });
  });
});

describe('expiredEvents', () => {
  const events = [1_000, 3_000, 2_000].map((at) => stored(draft({ reason: `R${at}` }), at));
  const paths = (bounds: { count: number; ageMs: number }) =>
    expiredEvents(events, 4_000, bounds).map((write) => ('path' in write ? write.path.split('.').at(-1) : ''));

  test('drops what is too old', () => expect(paths({ count: 10, ageMs: 2_500 })).toEqual(['r1000']));
  test('drops the oldest of too many', () => expect(paths({ count: 1, ageMs: 10_000 })).toEqual(['r1000', 'r2000']));
  test('keeps the rest', () => expect(paths({ count: 3, ageMs: 3_000 })).toEqual([]));
});
