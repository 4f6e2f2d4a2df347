import { FakeClock } from '../support/fakes';
import { SimProcess } from './process';

describe('a process that is paused', () => {
  const clock = new FakeClock();
  let process: SimProcess;
  let heard: string[];
  beforeEach(() => {
    process = new SimProcess(clock);
    heard = [];
  });
  const hear = (what: string) => () => void heard.push(what);

  test('hears everything afterwards: in order, one thing at a time, late', async () => {
    process.after(10, hear('timer 1'));
    process.after(20, hear('timer 2'));
    process.pause();
    await clock.run(15);
    process.enter(hear('message'));
    await clock.run(100);
    expect(heard).toEqual([]);
    process.resume();
    process.enter(hear('newer message'));
    expect(heard).toEqual([]);
    await clock.run(0);
    expect(heard).toEqual(['timer 1', 'message', 'timer 2', 'newer message']);
  });

  test('a late timer can still be cancelled by what comes before it', async () => {
    process.after(10, () => second.cancel());
    const second = process.after(20, hear('second'));
    process.pause();
    await clock.run(50);
    process.resume();
    await clock.run(0);
    expect(heard).toEqual([]);
  });

  test('gets the answers to its calls afterwards, errors as well', async () => {
    const answer = process.call(() => Promise.resolve('yes')).then(hear('answer'));
    const failure = process.call(() => Promise.reject(new Error('no'))).catch(hear('failure'));
    process.pause();
    await clock.run(10);
    expect(heard).toEqual([]);
    process.resume();
    await clock.run(0);
    await Promise.all([answer, failure]);
    expect(heard.toSorted()).toEqual(['answer', 'failure']);
  });

  test('that is killed hears nothing more', async () => {
    process.after(10, hear('timer'));
    process.pause();
    process.enter(hear('message'));
    await clock.run(20);
    process.kill();
    process.resume();
    await clock.run(20);
    expect(heard).toEqual([]);
  });
});

describe('a process that is to die at a point', () => {
  test('dies there, once, and nowhere else', () => {
    const process = new SimProcess(new FakeClock());
    let deaths = 0;
    process.dieAt('agent.task-written', () => deaths++);
    process.reach('agent.task-created');
    expect(process.isAlive).toBe(true);
    process.reach('agent.task-written');
    process.reach('agent.task-written');
    expect(process.isAlive).toBe(false);
    expect(deaths).toBe(1);
  });

  test('may be spared', () => {
    const process = new SimProcess(new FakeClock());
    process.dieAt('agent.task-written', () => undefined);
    process.disarm();
    process.reach('agent.task-written');
    expect(process.isAlive).toBe(true);
  });
});

test('the wall clock of a machine is its own, the monotonic one is not', () => {
  const clock = new FakeClock();
  const machine = { wallOffsetMs: 3_600_000 };
  const process = new SimProcess(clock, machine);
  expect(process.nowMs() - clock.nowMs()).toBe(3_600_000);
  expect(process.monotonicMs()).toBe(clock.monotonicMs());
});
