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
        'Updates not acknowledged',
        'Tasks whose news the master has not confirmed. They are sent again until it does.',
        'none',
        [query(`berth_agent_unacknowledged_tasks{${a}}`, '{{instance}}')],
      ),
    ]),
    row('Docker', [
      timeseries('Calls', 'Calls to the engine per second.', 'ops', [
        query(`sum by (call) (rate(berth_docker_call_duration_seconds_count{${a}}[$__rate_interval]))`, '{{call}}'),
      ]),
      timeseries('Time of calls (p99)', 'How long the engine takes.', 's', [
        query(
          `histogram_quantile(0.99, sum by (call, le) (rate(berth_docker_call_duration_seconds_bucket{${a}}[$__rate_interval])))`,
          '{{call}}',
        ),
      ]),
      timeseries('Failed calls', 'Calls that failed or were not answered.', 'ops', [
        query(
          `sum by (instance, call) (rate(berth_docker_call_duration_seconds_count{${a},result="error"}[$__rate_interval]))`,
          '{{instance}} {{call}}',
        ),
      ]),
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
