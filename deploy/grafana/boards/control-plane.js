'use strict';
const { dashboard, query, row, stat, timeseries } = require('../panels');

const c = 'cluster=~"$cluster"';
/** Series of servers only: they and no others have berth_leader. */
const ofServers = (expr) => `${expr} and on (instance, job) berth_leader{${c}}`;
const quantile = (q, metric, by, filter = c) =>
  `histogram_quantile(${q}, sum by (${[...by, 'le'].join(', ')}) (rate(${metric}_bucket{${filter}}[$__rate_interval])))`;

exports.board = dashboard({
  uid: 'berth-control-plane',
  title: 'Berth / Control plane',
  description: 'The servers: leadership, what they answer, and how well etcd serves them.',
  tags: ['control-plane'],
  rows: [
    row('Servers', [
      timeseries(
        'Leader',
        'The server whose line is at 1 leads. A change costs a few seconds.',
        'none',
        [query(`berth_leader{${c}}`, '{{instance}}')],
        { max: 1 },
      ),
      timeseries(
        'Mirror fresh',
        '1 while a server hears from etcd. At 0 it answers from memory and refuses writes.',
        'none',
        [query(`berth_mirror_fresh{${c}}`, '{{instance}}')],
        { max: 1 },
      ),
      stat(
        'Versions',
        'What the servers run. More than one is normal only during an upgrade.',
        'none',
        [query(`count by (version) (berth_build_info{${c},component="server"})`, '{{version}}')],
        { w: 8, h: 8, textMode: 'value_and_name' },
      ),
    ]),
    row('Leadership and identity', [
      timeseries('Changes of leader', 'How often a server became the leader, in the time shown.', 'none', [
        query(`sum by (instance) (increase(berth_leader_terms_total{${c}}[$__range]))`, '{{instance}}'),
      ]),
      timeseries(
        'Certificates',
        'Time until a certificate ends. Berth renews its own at its start; those you brought are yours to renew.',
        's',
        [query(`berth_certificate_expiry_timestamp_seconds{${c}} - time()`, '{{instance}} {{certificate}}')],
        { min: null },
      ),
      timeseries(
        'Without authentication',
        '1: anybody who reaches this server may do anything.',
        'none',
        [query(`berth_insecure_no_auth{${c}}`, '{{instance}}')],
        { max: 1 },
      ),
    ]),
    row('Answers', [
      timeseries('Requests', 'Requests per second by face.', 'reqps', [
        query(`sum by (face) (rate(berth_http_requests_total{${c},face!="agent"}[$__rate_interval]))`, '{{face}}'),
      ]),
      timeseries('Refusals and failures', 'Answers with a status of 400 and above, by face and code.', 'reqps', [
        query(
          `sum by (face, code) (rate(berth_http_requests_total{${c},face!="agent",code=~"4..|5..|aborted"}[$__rate_interval]))`,
          '{{face}} {{code}}',
        ),
      ]),
      timeseries('Time to answer (p99)', '99 of 100 requests are answered within this time; streams left out.', 's', [
        query(quantile(0.99, 'berth_http_request_duration_seconds', ['face'], `${c},face!="agent"`), '{{face}}'),
      ]),
    ]),
    row('etcd, as the servers see it', [
      timeseries('Calls', 'Calls to etcd per second.', 'ops', [
        query(`sum by (call) (rate(berth_etcd_request_duration_seconds_count{${c}}[$__rate_interval]))`, '{{call}}'),
      ]),
      timeseries('Time of calls (p50, p99)', 'How long etcd takes. Above 0.5 s leases are in danger.', 's', [
        query(quantile(0.5, 'berth_etcd_request_duration_seconds', ['call']), '{{call}} p50'),
        query(quantile(0.99, 'berth_etcd_request_duration_seconds', ['call']), '{{call}} p99'),
      ]),
      timeseries(
        'Failed calls',
        'Calls to etcd that failed, by code. Lost comparisons (CONFLICT) are tried again.',
        'ops',
        [
          query(
            `sum by (call, code) (rate(berth_etcd_request_failures_total{${c}}[$__rate_interval]))`,
            '{{call}} {{code}}',
          ),
        ],
      ),
      timeseries(
        'Commits per transaction',
        'Group commit: how many commits share one transaction, on average.',
        'none',
        [
          query(
            `sum by (instance) (rate(berth_etcd_grouped_commits_sum{${c}}[$__rate_interval])) / sum by (instance) (rate(berth_etcd_grouped_commits_count{${c}}[$__rate_interval]))`,
            '{{instance}}',
          ),
        ],
      ),
      timeseries(
        'Waiting commits',
        'Commits that wait for their turn. It should fall back to 0 after a burst.',
        'none',
        [query(`berth_etcd_queued_commits{${c}}`, '{{instance}}')],
      ),
      timeseries(
        'Database and quota',
        "Share of etcd's quota in use. At 1 etcd refuses all writes.",
        'percentunit',
        [query(`max by (cluster) (berth_etcd_quota_used_ratio{${c}})`, '{{cluster}}')],
        {
          max: 1,
          thresholds: [
            [null, 'green'],
            [0.8, 'red'],
          ],
        },
      ),
    ]),
    row('Records', [
      timeseries('Records', 'Records in memory by kind.', 'none', [
        query(`max by (kind) (berth_records{${c}})`, '{{kind}}'),
      ]),
      timeseries(
        'Full',
        '1: etcd refuses writes because its database has reached the quota.',
        'none',
        [query(`max by (cluster) (berth_store_full{${c}})`, '{{cluster}}')],
        { max: 1 },
      ),
      timeseries('Set aside', 'Records that cannot be read. Anything but 0 needs a look.', 'none', [
        query(`max by (cluster) (berth_corrupt_records{${c}})`, '{{cluster}}'),
      ]),
      timeseries('Behind etcd (p99)', 'How far what a server knows is behind what etcd has confirmed.', 's', [
        query(quantile(0.99, 'berth_mirror_lag_seconds', ['instance']), '{{instance}}'),
      ]),
      timeseries(
        'Back in time',
        'How often etcd was found restored from a backup or emptied, in the time shown.',
        'none',
        [query(`sum by (instance) (increase(berth_store_rewinds_total{${c}}[$__range]))`, '{{instance}}')],
      ),
      timeseries(
        'Complete lists',
        'How often servers had to list everything anew: at their start, and whenever a watch broke.',
        'none',
        [query(`increase(berth_mirror_lists_total{${c}}[$__range])`, '{{instance}}')],
      ),
    ]),
    row('Brakes', [
      timeseries('Kills by reason', 'Kill calls of the orchestrator.', 'ops', [
        query(`sum by (reason) (rate(berth_kills_total{${c}}[$__rate_interval]))`, '{{reason}}'),
      ]),
      timeseries(
        'Brakes',
        'Not 0: so many agents are silent, or so many kills nobody asked for are due, that Berth waits for a human.',
        'none',
        [
          query(`max by (cluster) (berth_kill_brake_engaged{${c}})`, 'kills held back'),
          query(`max by (cluster) (berth_agents_brake{${c}})`, 'agents'),
        ],
      ),
      timeseries('Orphans', 'Tasks whose app has no record. They are left alone.', 'none', [
        query(`max by (cluster) (berth_orphaned_tasks{${c}})`, '{{cluster}}'),
      ]),
    ]),
    row('Processes', [
      timeseries('CPU', 'Processor time per second.', 'percentunit', [
        query(ofServers('rate(process_cpu_seconds_total[$__rate_interval])'), '{{instance}}'),
      ]),
      timeseries('Memory', 'Resident memory.', 'bytes', [
        query(ofServers('process_resident_memory_bytes'), '{{instance}}'),
      ]),
      timeseries('Event loop delay (p99)', 'How late work begins. Above 0.5 s the process is overloaded.', 's', [
        query(ofServers('nodejs_eventloop_lag_p99_seconds'), '{{instance}}'),
      ]),
    ]),
  ],
});
