'use strict';
const { dashboard, query, row, stat, table, timeseries } = require('../panels');

const c = 'cluster=~"$cluster"';
const used = (resource) =>
  `sum(max by (cluster, role) (berth_resources_allocated{${c},resource="${resource}"}))` +
  ` / sum(max by (cluster, role) (berth_resources_capacity{${c},resource="${resource}"}))`;
const RED_ABOVE_0 = [
  [null, 'green'],
  [1, 'red'],
];

exports.board = dashboard({
  uid: 'berth-cluster',
  title: 'Berth / Cluster',
  description: 'Is everything that should run running, and is there room?',
  rows: [
    row('Now', [
      stat('Leader', 'Servers that lead: one is right.', 'none', [query(`sum(berth_leader{${c}})`)], {
        thresholds: [
          [null, 'red'],
          [1, 'green'],
          [2, 'red'],
        ],
      }),
      stat('Agents', 'Agents that are connected to the leader.', 'none', [
        query(`sum(max by (cluster) (berth_agents{${c},state="connected"}))`),
      ]),
      stat(
        'Agents unreachable',
        'Agents that have not answered for so long that they count as lost.',
        'none',
        [query(`sum(max by (cluster) (berth_agents{${c},state="unreachable"}))`)],
        { thresholds: RED_ABOVE_0 },
      ),
      stat('Instances wanted', 'What all apps together should have.', 'none', [
        query(`sum(max by (cluster, app) (berth_app_instances_desired{${c}}))`),
      ]),
      stat('Instances running', 'What all apps together have.', 'none', [
        query(`sum(max by (cluster, app) (berth_app_instances_running{${c}}))`),
      ]),
      stat(
        'Instances waiting',
        'Instances that wait for a place: /v2/queue tells why.',
        'none',
        [query(`sum(max by (cluster, app) (berth_launch_queue_length{${c}}))`)],
        {
          thresholds: [
            [null, 'green'],
            [1, 'orange'],
          ],
        },
      ),
    ]),
    row('Work', [
      timeseries(
        'Tasks by state',
        'Tasks on record. A growing number of staging tasks means slow pulls or starts.',
        'none',
        [query(`max by (state) (berth_tasks{${c}}) > 0`, '{{state}}')],
        { stack: true },
      ),
      timeseries('Launches and ends', "Tasks started and ended per second, in all servers' words.", 'ops', [
        query(`sum(rate(berth_task_launches_total{${c}}[$__rate_interval]))`, 'launched'),
        query(`sum by (state) (rate(berth_task_exits_total{${c}}[$__rate_interval]))`, '{{state}}'),
      ]),
      timeseries(
        'Ends by reason',
        'Why tasks ended. TASK_KILLED of a rollout is normal, REASON_CONTAINER_LIMITATION_MEMORY is not.',
        'ops',
        [
          query(
            `sum by (state, reason) (rate(berth_task_exits_total{${c}}[$__rate_interval]))`,
            '{{state}} {{reason}}',
          ),
        ],
      ),
      timeseries('Instances wanted and running', 'The two lines lie on each other when all is well.', 'none', [
        query(`sum(max by (cluster, app) (berth_app_instances_desired{${c}}))`, 'wanted'),
        query(`sum(max by (cluster, app) (berth_app_instances_running{${c}}))`, 'running'),
        query(`sum(max by (cluster, app) (berth_app_instances_healthy{${c}}))`, 'healthy'),
      ]),
      timeseries('Unhealthy', 'Running instances with a health check that fails.', 'none', [
        query(`sum by (app) (max by (cluster, app) (berth_app_instances_unhealthy{${c}}))`, '{{app}}'),
      ]),
      timeseries('Rollouts ended', 'Rollouts that ended in the time shown, by result.', 'none', [
        query(`sum by (result) (increase(berth_rollouts_total{${c}}[$__range]))`, '{{result}}'),
      ]),
      timeseries('Rollouts', 'Rollouts on their way.', 'none', [
        query(`sum(max by (cluster) (berth_rollouts_active{${c}}))`, 'on their way'),
      ]),
      timeseries(
        'Agents by state',
        'What the leader knows of its agents.',
        'none',
        [query(`max by (state) (berth_agents{${c}})`, '{{state}}')],
        { stack: true },
      ),
    ]),
    row('Room', [
      timeseries(
        'CPU taken',
        'Share of all CPUs that is offered or in use.',
        'percentunit',
        [query(used('cpus'), 'cpus')],
        { max: 1 },
      ),
      timeseries(
        'Memory taken',
        'Share of all memory that is offered or in use.',
        'percentunit',
        [query(used('mem'), 'mem')],
        { max: 1 },
      ),
      timeseries(
        'Disk taken',
        'Share of all disk that is offered or in use.',
        'percentunit',
        [query(used('disk'), 'disk')],
        { max: 1 },
      ),
    ]),
    row('Apps', [
      table(
        'Apps',
        'Every app: wanted, running, healthy (of those with health checks), waiting.',
        [
          query(`max by (app) (berth_app_instances_desired{${c}})`),
          query(`max by (app) (berth_app_instances_running{${c}})`),
          query(`max by (app) (berth_app_instances_healthy{${c}})`),
          query(`max by (app) (berth_launch_queue_length{${c}})`),
        ],
        { columns: ['wanted', 'running', 'healthy', 'waiting'], sortBy: 'wanted' },
      ),
    ]),
  ],
});
