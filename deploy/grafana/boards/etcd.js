'use strict';
const { dashboard, query, row, stat, timeseries } = require('../panels');

const c = 'cluster=~"$cluster"';
const p99 = (metric) =>
  `histogram_quantile(0.99, sum by (instance, le) (rate(${metric}_bucket{${c}}[$__rate_interval])))`;

exports.board = dashboard({
  uid: 'berth-etcd',
  title: 'Berth / etcd',
  description: 'The members of etcd, in their own words.',
  tags: ['etcd'],
  rows: [
    row('Now', [
      stat('Members up', 'Members that answer Prometheus.', 'none', [query(`count(etcd_server_has_leader{${c}})`)]),
      stat('Have a leader', 'Members that know a leader: all of them should.', 'none', [
        query(`sum(etcd_server_has_leader{${c}})`),
      ]),
      stat(
        'Changes of leader',
        'In the time shown. Often means slow disks or a bad network.',
        'none',
        [query(`max(increase(etcd_server_leader_changes_seen_total{${c}}[$__range]))`)],
        { decimals: 0 },
      ),
      stat('Proposals waiting', 'Writes that members have not committed yet.', 'none', [
        query(`max(etcd_server_proposals_pending{${c}})`),
      ]),
      stat(
        'Quota used',
        'Database by quota; at 100 % etcd refuses all writes.',
        'percentunit',
        [query(`max(etcd_mvcc_db_total_size_in_bytes{${c}} / etcd_server_quota_backend_bytes{${c}})`)],
        {
          thresholds: [
            [null, 'green'],
            [0.7, 'orange'],
            [0.8, 'red'],
          ],
        },
      ),
    ]),
    row('Disk', [
      timeseries(
        'Log to disk (fsync p99)',
        'Every write waits for this. Above 10 ms the disk is slow for etcd.',
        's',
        [query(p99('etcd_disk_wal_fsync_duration_seconds'), '{{instance}}')],
        {
          thresholds: [
            [null, 'green'],
            [0.01, 'orange'],
            [0.1, 'red'],
          ],
        },
      ),
      timeseries('Commit to disk (p99)', 'Writing the database. Above 25 ms the disk is slow for etcd.', 's', [
        query(p99('etcd_disk_backend_commit_duration_seconds'), '{{instance}}'),
      ]),
      timeseries(
        'Database',
        'Size of the file, and what of it holds data; the rest is given back by defragmenting.',
        'bytes',
        [
          query(`etcd_mvcc_db_total_size_in_bytes{${c}}`, '{{instance}} file'),
          query(`etcd_mvcc_db_total_size_in_use_in_bytes{${c}}`, '{{instance}} in use'),
        ],
      ),
    ]),
    row('Work', [
      timeseries('Calls', 'gRPC calls that ended, per second.', 'ops', [
        query(
          `sum by (grpc_method) (rate(grpc_server_handled_total{${c},grpc_type="unary"}[$__rate_interval]))`,
          '{{grpc_method}}',
        ),
      ]),
      timeseries('Proposals', 'Writes agreed upon per second, and those that failed.', 'ops', [
        query(`max(rate(etcd_server_proposals_committed_total{${c}}[$__rate_interval]))`, 'committed'),
        query(`sum(rate(etcd_server_proposals_failed_total{${c}}[$__rate_interval]))`, 'failed'),
      ]),
      timeseries('Watches', 'Open watches, and events sent to them per second.', 'none', [
        query(`sum(etcd_debugging_mvcc_watcher_total{${c}})`, 'watches'),
        query(`sum(rate(etcd_debugging_mvcc_events_total{${c}}[$__rate_interval]))`, 'events/s'),
      ]),
    ]),
    row('Processes', [
      timeseries('Network to clients', 'Bytes per second.', 'Bps', [
        query(`rate(etcd_network_client_grpc_sent_bytes_total{${c}}[$__rate_interval])`, '{{instance}} sent'),
        query(`rate(etcd_network_client_grpc_received_bytes_total{${c}}[$__rate_interval])`, '{{instance}} received'),
      ]),
      timeseries('Memory', 'Resident memory.', 'bytes', [
        query(`process_resident_memory_bytes{${c}} and on (instance, job) etcd_server_has_leader`, '{{instance}}'),
      ]),
      timeseries('CPU', 'Processor time per second.', 'percentunit', [
        query(
          `rate(process_cpu_seconds_total{${c}}[$__rate_interval]) and on (instance, job) etcd_server_has_leader`,
          '{{instance}}',
        ),
      ]),
    ]),
  ],
});
