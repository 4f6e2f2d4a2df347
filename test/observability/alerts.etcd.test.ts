import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { DEPLOY } from './prometheus';
import { rules, type Rule } from './sources';

const FOLDER = join(__dirname, 'rules');
const FILES = readdirSync(FOLDER).map((name) => join(FOLDER, name));

interface AlertTest {
  readonly name: string;
  readonly promql_expr_test: readonly { readonly expr: string; readonly exp_samples: readonly unknown[] }[];
}

function promtool(...args: readonly string[]): { status: number | null; output: string } {
  const { status, stdout, stderr, error } = spawnSync('promtool', args, { encoding: 'utf8', timeout: 60_000 });
  if (error !== undefined) throw new Error('promtool is missing: apt-get install prometheus', { cause: error });
  return { status, output: stdout + stderr };
}

const alerts = rules().filter((rule): rule is Rule & { alert: string } => rule.alert !== undefined);
const tests = FILES.flatMap((file) => (parse(readFileSync(file, 'utf8')) as { tests: AlertTest[] }).tests);

test('promtool accepts the rules', () => {
  const folder = join(DEPLOY, 'prometheus/rules');
  const { status, output } = promtool('check', 'rules', ...readdirSync(folder).map((name) => join(folder, name)));
  expect({ status, output }).toEqual({ status: 0, output: expect.not.stringMatching(/FAILED|duplicate/) as string });
});

test('alerts fire when they should and only then (promtool test rules)', () => {
  const { status, output } = promtool('test', 'rules', ...FILES);
  expect({ status, output: status === 0 ? '' : output }).toEqual({ status: 0, output: '' });
});

test.each(alerts.map(({ alert }) => alert))('%s has a test of silence and one of firing', (alert) => {
  const expected = tests.filter(({ name }) => name === alert).flatMap((one) => one.promql_expr_test);
  expect(expected.every(({ expr }) => expr.includes(`alertname="${alert}",alertstate="firing"`))).toBe(true);
  expect(expected.some(({ exp_samples: samples }) => samples.length === 0)).toBe(true);
  expect(expected.some(({ exp_samples: samples }) => samples.length > 0)).toBe(true);
});

test('the tests are of alerts that exist', () => {
  const names = new Set(alerts.map(({ alert }) => alert));
  expect(tests.map(({ name }) => name).filter((name) => !names.has(name))).toEqual([]);
});
