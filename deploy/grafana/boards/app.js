'use strict';
const { dashboard, labelVariable, query, row, stat, timeseries } = require('../panels');

const a = 'cluster=~"$cluster",app=~"$app"';

exports.board = dashboard({
  uid: 'berth-app',
  title: 'Berth / App',
  description: 'One app or several: does it run, does it wait, and why.',
  tags: ['app'],
  variables: [labelVariable('app', 'App', 'label_values(berth_app_instances_desired{cluster=~"$cluster"}, app)')],
  rows: [
    row('Now', [
      stat('Wanted', 'Instances that the definition asks for.', 'none', [
        query(`sum(max by (app) (berth_app_instances_desired{${a}}))`),
      ]),
      stat('Running', 'Instances that run.', 'none', [query(`sum(max by (app) (berth_app_instances_running{${a}}))`)]),
      stat('Healthy', 'Instances whose health checks pass; instances without health checks do not count.', 'none', [
        query(`sum(max by (app) (berth_app_instances_healthy{${a}}))`),
      ]),
      stat(
        'Waiting',
        'Instances that wait for a place.',
        'none',
        [query(`sum(max by (app) (berth_launch_queue_length{${a}}))`)],
        {
          thresholds: [
            [null, 'green'],
            [1, 'orange'],
          ],
        },
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
    ]),
    row('Instances', [
      timeseries(
        'Instances',
        'Wanted, running and healthy.',
        'none',
        [
          query(`max by (app) (berth_app_instances_desired{${a}})`, '{{app}} wanted'),
          query(`max by (app) (berth_app_instances_running{${a}})`, '{{app}} running'),
          query(`max by (app) (berth_app_instances_healthy{${a}})`, '{{app}} healthy'),
        ],
        { w: 12 },
      ),
      timeseries(
        'Waiting',
        'Instances in the launch queue.',
        'none',
        [query(`max by (app) (berth_launch_queue_length{${a}})`, '{{app}}')],
        { w: 12 },
      ),
    ]),
  ],
});
