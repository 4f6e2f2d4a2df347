import { InvalidError } from '../../../src/core/errors';
import { CRASH_POINTS, NO_CRASH_POINTS } from '../../../src/core/ports/crash-points';
import { ProcessCrashPoints } from '../../../src/io/system/process-crash-points';
import { RecordingLogger } from '../../support/fakes';

describe('ProcessCrashPoints', () => {
  let deaths = 0;
  let log = new RecordingLogger();
  const armed = (text: string | undefined) => ProcessCrashPoints.fromEnvironment(text, log, () => void deaths++);
  beforeEach(() => {
    deaths = 0;
    log = new RecordingLogger();
  });

  test.each([undefined, ''])('%j arms nothing and says nothing', (text) => {
    expect(armed(text)).toBe(NO_CRASH_POINTS);
    expect(log.lines).toEqual([]);
  });

  test('dies at the named point and at no other, and warns of it from the start', () => {
    const points = armed('agent.task-created');
    expect(log.lines).toMatchObject([{ level: 'warn', fields: { point: 'agent.task-created', passes: 1 } }]);
    points.reach('agent.task-written');
    expect(deaths).toBe(0);
    points.reach('agent.task-created');
    expect(deaths).toBe(1);
  });

  test('dies at the Nth pass', () => {
    const points = armed('master.task-written:3');
    points.reach('master.task-written');
    points.reach('master.task-written');
    expect(deaths).toBe(0);
    points.reach('master.task-written');
    expect(deaths).toBe(1);
  });

  test.each(['agent.task-creatd', 'agent.task-created:0', 'agent.task-created:x', ':2', 'toString'])(
    '%s is refused with the list of names',
    (text) => {
      expect(() => armed(text)).toThrow(InvalidError);
      for (const name of Object.keys(CRASH_POINTS)) expect(() => armed(text)).toThrow(name);
    },
  );
});
