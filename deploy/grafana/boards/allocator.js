'use strict';
const { dashboard, labelVariable, query, row, timeseries } = require('../panels');

const c = 'cluster=~"$cluster"';
const r = `${c},role=~"$role"`;
const allocated = (resource) => `max by (role) (berth_resources_allocated{${r},resource="${resource}"})`;

exports.board = dashboard({
  uid: 'berth-allocator',
  title: 'Berth / Allocator',
  description: 'Who is offered what: shares of roles, offers, filters, and how fast the allocator is.',
  tags: ['allocator'],
  variables: [labelVariable('role', 'Role', 'label_values(berth_role_dominant_share{cluster=~"$cluster"}, role)')],
  rows: [
    row('Fair share', [
      timeseries(
        'Dominant share',
        'Share of the resource a role has most of, divided by its weight. The role with the smallest share is offered first.',
        'percentunit',
        [query(`max by (role) (berth_role_dominant_share{${r}})`, '{{role}}')],
        { w: 12 },
      ),
      timeseries(
        'Frameworks',
        'Frameworks by state.',
        'none',
        [query(`max by (state) (berth_frameworks{${c}})`, '{{state}}')],
        { w: 12 },
      ),
      timeseries('CPUs by role', 'Offered or in use.', 'none', [query(allocated('cpus'), '{{role}}')], { stack: true }),
      timeseries('Memory by role', 'Offered or in use.', 'bytes', [query(allocated('mem'), '{{role}}')], {
        stack: true,
      }),
      timeseries('Disk by role', 'Offered or in use.', 'bytes', [query(allocated('disk'), '{{role}}')], {
        stack: true,
      }),
    ]),
    row('Quota and reservations', [
      timeseries(
        'CPU: quota and use',
        'What quota guarantees and allows at most, and what is offered or in use.',
        'none',
        [
          query(`max by (role) (berth_role_quota_guarantee{${r},resource="cpus"})`, '{{role}} guaranteed'),
          query(`max by (role) (berth_role_quota_limit{${r},resource="cpus"})`, '{{role}} at most'),
          query(
            `${allocated('cpus')} and on (role) max by (role) (berth_role_quota_limit{${r}} or berth_role_quota_guarantee{${r}})`,
            '{{role}} has',
          ),
        ],
      ),
      timeseries('Memory: quota', 'What quota guarantees and allows at most.', 'bytes', [
        query(`max by (role) (berth_role_quota_guarantee{${r},resource="mem"})`, '{{role}} guaranteed'),
        query(`max by (role) (berth_role_quota_limit{${r},resource="mem"})`, '{{role}} at most'),
      ]),
      timeseries(
        'CPUs by reservation',
        "What agents have, by the role it is reserved for; *: anybody's.",
        'none',
        [query(`max by (role) (berth_resources_capacity{${c},resource="cpus"})`, '{{role}}')],
        { stack: true },
      ),
    ]),
    row('Offers', [
      timeseries(
        'Offers outstanding',
        'Offers that nobody has answered yet. Many for long: a framework sits on them.',
        'none',
        [query(`max by (cluster) (berth_offers_outstanding{${c}})`, '{{cluster}}')],
      ),
      timeseries('Offers of the orchestrator', 'What became of the offers to our own framework.', 'ops', [
        query(`sum by (result) (rate(berth_offers_total{${c}}[$__rate_interval]))`, '{{result}}'),
      ]),
      timeseries(
        'Decline filters',
        'Refusals in force: agents that a framework does not want to hear of for a while.',
        'none',
        [query(`max by (cluster) (berth_decline_filters{${c}})`, '{{cluster}}')],
      ),
    ]),
    row('Speed', [
      timeseries('Run of the allocator (p50, p99)', 'Time of one run.', 's', [
        query(
          `histogram_quantile(0.5, sum by (le) (rate(berth_allocation_duration_seconds_bucket{${c}}[$__rate_interval])))`,
          'p50',
        ),
        query(
          `histogram_quantile(0.99, sum by (le) (rate(berth_allocation_duration_seconds_bucket{${c}}[$__rate_interval])))`,
          'p99',
        ),
      ]),
      timeseries('Runs', 'Runs of the allocator per second.', 'ops', [
        query(`sum(rate(berth_allocation_duration_seconds_count{${c}}[$__rate_interval]))`, 'runs'),
      ]),
      timeseries('Matching (p99)', 'Time of one pass of the offer matcher.', 's', [
        query(
          `histogram_quantile(0.99, sum by (le) (rate(berth_offer_matching_seconds_bucket{${c}}[$__rate_interval])))`,
          'p99',
        ),
      ]),
    ]),
    row('Launch queue', [
      timeseries(
        'Waiting instances',
        'By app.',
        'none',
        [query(`max by (app) (berth_launch_queue_length{${c}}) > 0`, '{{app}}')],
        { stack: true },
      ),
      timeseries(
        'Reasons',
        'Agents whose last offer did not serve a waiting app, by reason, over all apps.',
        'none',
        [query(`sum by (reason) (max by (app, reason) (berth_launch_queue_refusals{${c}}))`, '{{reason}}')],
        { stack: true },
      ),
      timeseries('Back-off', 'How long back-off still holds an app after failures.', 's', [
        query(`max by (app) (berth_app_delay_seconds{${c}}) > 0`, '{{app}}'),
      ]),
    ]),
  ],
});
