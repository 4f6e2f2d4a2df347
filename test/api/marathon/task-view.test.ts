import { hostPortsOf } from '../../../src/api/marathon/task-view';
import { taskInfoSchema } from '../../../src/core/records/mesos';

function info(resources: readonly (readonly [number, number])[], discovered?: readonly number[]) {
  return taskInfoSchema.parse({
    name: 'web',
    task_id: { value: 't' },
    agent_id: { value: 'a' },
    resources: resources.map(([begin, end]) => ({
      name: 'ports',
      type: 'RANGES',
      ranges: { range: [{ begin, end }] },
    })),
    ...(discovered === undefined ? {} : { discovery: { ports: { ports: discovered.map((number) => ({ number })) } } }),
  });
}

describe('hostPortsOf', () => {
  test.each([
    { name: 'no ports', task: info([]), expected: [] },
    {
      name: 'only resources',
      task: info([
        [31000, 31001],
        [31005, 31005],
      ]),
      expected: [31000, 31001, 31005],
    },
    {
      name: 'the order of the definition',
      task: info([[31000, 31002]], [31002, 31000, 31001]),
      expected: [31002, 31000, 31001],
    },
    { name: 'udp,tcp is one port', task: info([[31000, 31001]], [31001, 31001, 31000]), expected: [31001, 31000] },
    {
      name: 'ports of the own network are none of the host',
      task: info([[31000, 31000]], [80, 31000]),
      expected: [31000],
    },
  ])('$name', ({ task, expected }) => {
    expect(hostPortsOf(task)).toEqual(expected);
  });
});
