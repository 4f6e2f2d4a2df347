'use strict';
const { dashboard, labelVariable, query, row, stat, table, timeseries } = require('../panels');

const a = 'cluster=~"$cluster",app=~"$app"';
const perTask = (metric) => `${metric}{${a}}`;
const instances = (which) => `max by (app) (berth_app_instances_${which}{${a}})`;
const sumOf = (which) => `sum(${instances(which)})`;
const rate = (metric) => `sum by (app, task_id) (rate(${metric}{${a}}[$__rate_interval]))`;
const ORANGE_ABOVE_0 = [
  [null, 'green'],
  [1, 'orange'],
];

const now = row('Now', [
  stat('Wanted', 'Instances that the definition asks for.', 'none', [query(sumOf('desired'))]),
  stat('Running', 'Instances that run.', 'none', [query(sumOf('running'))]),
  stat('Healthy', 'Instances whose health checks pass; without health checks they do not count.', 'none', [
    query(sumOf('healthy')),
  ]),
  stat('Unhealthy', 'Running instances with a health check that fails.', 'none', [query(sumOf('unhealthy'))], {
    thresholds: ORANGE_ABOVE_0,
  }),
  stat(
    'Waiting',
    'Instances that wait for a place.',
    'none',
    [query(`sum(max by (app) (berth_launch_queue_length{${a}}))`)],
    { thresholds: ORANGE_ABOVE_0 },
  ),
  stat(
    'Back-off',
    'How long launches are still held back after failures.',
    's',
    [query(`max(berth_app_delay_seconds{${a}})`)],
    {
      thresholds: [
        [null, 'green'],
        [1, 'orange'],
        [300, 'red'],
      ],
    },
  ),
]);

const lives = row('Instances', [
  timeseries('Instances', 'Wanted, staged (launched, not running yet), running, healthy.', 'none', [
    query(instances('desired'), '{{app}} wanted'),
    query(instances('staged'), '{{app}} staged'),
    query(instances('running'), '{{app}} running'),
    query(instances('healthy'), '{{app}} healthy'),
  ]),
  timeseries('Waiting', 'Instances in the launch queue.', 'none', [
    query(`max by (app) (berth_launch_queue_length{${a}})`, '{{app}}'),
  ]),
  timeseries('Why it waits', 'Agents whose last offer did not serve, by reason.', 'none', [
    query(`max by (app, reason) (berth_launch_queue_refusals{${a}})`, '{{app}} {{reason}}'),
  ]),
  timeseries(
    'Ended by themselves',
    'Tasks in ten minutes that ended although they should run, exit 0 included. Several: it crashes in a loop.',
    'none',
    [query(`sum by (app) (increase(berth_app_task_failures_total{${a}}[10m]))`, '{{app}}')],
  ),
  timeseries('Back-off', 'How long launches are still held back.', 's', [
    query(`max by (app) (berth_app_delay_seconds{${a}})`, '{{app}}'),
  ]),
  timeseries('Rollout', 'Age of the rollout that changes the app, while there is one.', 's', [
    query(`max by (app) (berth_app_rollout_age_seconds{${a}})`, '{{app}}'),
  ]),
]);

const use = row('Use, by task', [
  timeseries('CPU', 'Cores used. What was asked for is a share, not a limit, unless the app says so.', 'none', [
    query(rate('berth_task_cpu_seconds_total'), '{{app}} {{task_id}}'),
  ]),
  timeseries('CPU throttled', 'Share of the time for which its own limit kept a task from the CPU.', 'percentunit', [
    query(rate('berth_task_cpu_throttled_seconds_total'), '{{app}} {{task_id}}'),
  ]),
  timeseries('Memory', 'Working set. At 100 % of the limit the kernel kills the task.', 'bytes', [
    query(perTask('berth_task_memory_working_set_bytes'), '{{app}} {{task_id}}'),
  ]),
  timeseries(
    'Memory by limit',
    'Working set by the memory the task may use.',
    'percentunit',
    [
      query(
        `${perTask('berth_task_memory_working_set_bytes')} / ${perTask('berth_task_memory_limit_bytes')}`,
        '{{app}} {{task_id}}',
      ),
    ],
    { max: 1 },
  ),
  timeseries('Network', 'Bytes per second; tasks on the network of the host are not seen.', 'Bps', [
    query(rate('berth_task_network_receive_bytes_total'), '{{app}} {{task_id}} in'),
    query(rate('berth_task_network_transmit_bytes_total'), '{{app}} {{task_id}} out'),
  ]),
  timeseries('Disk', 'Bytes per second from and to block devices.', 'Bps', [
    query(rate('berth_task_disk_read_bytes_total'), '{{app}} {{task_id}} read'),
    query(rate('berth_task_disk_written_bytes_total'), '{{app}} {{task_id}} written'),
  ]),
  timeseries('Processes', 'Processes and threads.', 'none', [
    query(perTask('berth_task_processes'), '{{app}} {{task_id}}'),
  ]),
]);

const what = row('What', [
  table(
    'Apps',
    'Role and image of each app.',
    [query(`max by (app, role, image) (berth_app_info{${a}})`), query(instances('running'))],
    { columns: ['info', 'running'], hide: ['Value #A'] },
  ),
  table(
    'Tasks',
    'Where the tasks run and what they use.',
    [
      query(`sum by (app, task_id, instance) (berth_task_cpus_requested{${a}})`),
      query(`sum by (app, task_id, instance) (berth_task_memory_working_set_bytes{${a}})`),
    ],
    { columns: ['cpus asked for', 'memory'], units: { memory: 'bytes' } },
  ),
]);

exports.board = dashboard({
  uid: 'berth-app',
  title: 'Berth / App',
  description: 'One app or several: does it run, does it wait and why, what does it use.',
  tags: ['app'],
  variables: [labelVariable('app', 'App', 'label_values(berth_app_instances_desired{cluster=~"$cluster"}, app)')],
  rows: [now, lives, use, what],
});
