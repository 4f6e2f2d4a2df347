'use strict';
const { dashboard, labelVariable, query, row, stat, timeseries } = require('../panels');

const a = 'cluster=~"$cluster",instance=~"$agent"';
const ofAgents = (expr) => `${expr} and on (instance, job) berth_agent_registered{${a}}`;

exports.board = dashboard({
  uid: 'berth-agent',
  title: 'Berth / Agent',
  description: 'One agent or all: its tasks, its Docker engine, its machine.',
  tags: ['agent'],
  variables: [labelVariable('agent', 'Agent', 'label_values(berth_agent_registered{cluster=~"$cluster"}, instance)')],
  rows: [
    row('Now', [
      stat('Registered', 'Agents that a master knows.', 'none', [query(`sum(berth_agent_registered{${a}})`)]),
      stat('Tasks running', 'On the agents shown.', 'none', [
        query(`sum(berth_agent_tasks{${a},state="TASK_RUNNING"})`),
      ]),
      stat(
        'Unknown containers',
        'Containers with our labels but without a task; left alone.',
        'none',
        [query(`sum(berth_agent_unknown_containers{${a}})`)],
        {
          thresholds: [
            [null, 'green'],
            [1, 'orange'],
          ],
        },
      ),
    ]),
    row('Room', [
      timeseries('CPUs', 'What the agent offers, what its tasks have asked for, and what they use.', 'none', [
        query(`sum(berth_agent_resources_capacity{${a},resource="cpus"})`, 'capacity'),
        query(`sum(berth_agent_resources_allocated{${a},resource="cpus"})`, 'asked for'),
        query(`sum(rate(berth_task_cpu_seconds_total{${a}}[$__rate_interval]))`, 'used'),
      ]),
      timeseries('Memory', 'What the agent offers, what its tasks have asked for, and what they use.', 'bytes', [
        query(`sum(berth_agent_resources_capacity{${a},resource="mem"})`, 'capacity'),
        query(`sum(berth_agent_resources_allocated{${a},resource="mem"})`, 'asked for'),
        query(`sum(berth_task_memory_working_set_bytes{${a}})`, 'used'),
      ]),
      timeseries(
        'Disks',
        'Used share of the disk with the work directory and of the one with images and containers.',
        'percentunit',
        [
          query(
            `1 - berth_agent_disk_available_bytes{${a}} / berth_agent_disk_size_bytes{${a}}`,
            '{{instance}} {{disk}}',
          ),
        ],
        {
          max: 1,
          thresholds: [
            [null, 'green'],
            [0.9, 'red'],
          ],
        },
      ),
    ]),
    row('Tasks', [
      timeseries(
        'Tasks by state',
        'Live tasks.',
        'none',
        [query(`sum by (state) (berth_agent_tasks{${a}})`, '{{state}}')],
        { stack: true },
      ),
      timeseries('Ends', 'Tasks that ended, by state and reason.', 'ops', [
        query(
          `sum by (state, reason) (rate(berth_agent_task_ends_total{${a}}[$__rate_interval]))`,
          '{{state}} {{reason}}',
        ),
      ]),
      timeseries(
        'Memory of tasks',
        'Working set of the tasks, per agent.',
        'bytes',
        [query(`sum by (instance) (berth_task_memory_working_set_bytes{${a}})`, '{{instance}}')],
        { stack: true },
      ),
      timeseries(
        'CPU of tasks',
        'Cores used by the tasks, per agent.',
        'none',
        [query(`sum by (instance) (rate(berth_task_cpu_seconds_total{${a}}[$__rate_interval]))`, '{{instance}}')],
        { stack: true },
      ),
      timeseries('Network of tasks', 'Bytes per second of tasks with a network of their own.', 'Bps', [
        query(
          `sum by (instance) (rate(berth_task_network_receive_bytes_total{${a}}[$__rate_interval]))`,
          '{{instance}} in',
        ),
        query(
          `sum by (instance) (rate(berth_task_network_transmit_bytes_total{${a}}[$__rate_interval]))`,
          '{{instance}} out',
        ),
      ]),
      timeseries('Disk of tasks', 'Bytes per second from and to block devices.', 'Bps', [
        query(
          `sum by (instance) (rate(berth_task_disk_read_bytes_total{${a}}[$__rate_interval]))`,
          '{{instance}} read',
        ),
        query(
          `sum by (instance) (rate(berth_task_disk_written_bytes_total{${a}}[$__rate_interval]))`,
          '{{instance}} written',
        ),
      ]),
      timeseries(
        'Updates not acknowledged',
        'Tasks whose news the master has not confirmed. They are sent again until it does.',
        'none',
        [query(`berth_agent_unacknowledged_tasks{${a}}`, '{{instance}}')],
      ),
    ]),
    row('Largest tasks', [
      timeseries(
        'CPU, largest tasks',
        'The ten tasks that use most.',
        'none',
        [
          query(
            `topk(10, sum by (app, task_id) (rate(berth_task_cpu_seconds_total{${a}}[$__rate_interval])))`,
            '{{app}} {{task_id}}',
          ),
        ],
        { w: 12 },
      ),
      timeseries(
        'Memory, largest tasks',
        'The ten tasks that use most.',
        'bytes',
        [query(`topk(10, berth_task_memory_working_set_bytes{${a}})`, '{{app}} {{task_id}}')],
        { w: 12 },
      ),
    ]),
    row('Docker', [
      timeseries('Calls', 'Calls to the engine per second, by result.', 'ops', [
        query(`sum by (result) (rate(berth_docker_call_duration_seconds_count{${a}}[$__rate_interval]))`, '{{result}}'),
      ]),
      timeseries('Time of calls (p99)', 'How long the engine takes.', 's', [
        query(
          `histogram_quantile(0.99, sum by (call, le) (rate(berth_docker_call_duration_seconds_bucket{${a}}[$__rate_interval])))`,
          '{{call}}',
        ),
      ]),
      timeseries(
        'Failed calls',
        'Calls that were not answered, or not in time. What Docker refuses (no such image) is not among them.',
        'ops',
        [
          query(
            `sum by (instance, call) (rate(berth_docker_call_duration_seconds_count{${a},result="error"}[$__rate_interval]))`,
            '{{instance}} {{call}}',
          ),
        ],
      ),
      timeseries('Image pulls', 'Pulls in the time shown, by result.', 'none', [
        query(`sum by (result) (increase(berth_agent_image_pulls_total{${a}}[$__range]))`, '{{result}}'),
      ]),
    ]),
    row('Processes', [
      timeseries('CPU of the agent', 'Processor time per second.', 'percentunit', [
        query(ofAgents('rate(process_cpu_seconds_total[$__rate_interval])'), '{{instance}}'),
      ]),
      timeseries('Memory of the agent', 'Resident memory of the process.', 'bytes', [
        query(ofAgents('process_resident_memory_bytes'), '{{instance}}'),
      ]),
      timeseries('Event loop delay (p99)', 'How late work begins.', 's', [
        query(ofAgents('nodejs_eventloop_lag_p99_seconds'), '{{instance}}'),
      ]),
    ]),
  ],
});
