import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { AGENT_FLAGS } from '../../src/cli/agent-flags';
import { flagName } from '../../src/cli/flag';
import { SERVER_FLAGS } from '../../src/cli/server-flags';
import { CHART } from './helm';

interface ChartScript {
  documentedValues(yaml: string): { path: string; name: string; text: string; value: unknown }[];
  stale(): { paths: string[] };
}
const script = jest.requireActual<ChartScript>('../../deploy/chart.js');
const values = readFileSync(join(CHART, 'values.yaml'), 'utf8');
const schema = JSON.parse(readFileSync(join(CHART, 'values.schema.json'), 'utf8')) as Schema;

interface Schema {
  properties?: Record<string, Schema>;
  additionalProperties?: boolean | object;
  propertyNames?: { enum: string[] };
  $ref?: string;
  type?: string;
}

test('README.md, rules and dashboards are those of their sources (npm run chart)', () => {
  expect(script.stale().paths).toEqual([]);
});

test('every value has a comment that starts with its name', () => {
  const rows = script.documentedValues(values);
  expect(rows.length).toBeGreaterThan(150);
  const silent = rows.filter(({ name, text }) => !new RegExp(`(^|\\s)${name}[ :,]`).test(text) || text.length < name.length + 8);
  expect(silent.map(({ path }) => path)).toEqual([]);
});

test('the schema knows exactly the values that there are', () => {
  const inValues: string[] = [];
  const inSchema: string[] = [];
  pathsOf(parse(values) as Record<string, unknown>, schema, '', inValues, inSchema);
  expect(inSchema.sort()).toEqual(inValues.sort());
});

test('maps with a fixed set of keys refuse others', () => {
  const open: string[] = [];
  walkSchema(schema, '', (path, node) => {
    if (node.properties !== undefined && node.additionalProperties !== false) open.push(path);
  });
  // Parent charts put keys of their own into `global`.
  expect(open).toEqual(['global']);
});

test.each([
  {
    part: 'server',
    table: SERVER_FLAGS as Record<string, unknown>,
    // Set by the chart, from values of their own.
    own: 'listen marathon-port mesos-port kube-port hostname advertise-address etcd-endpoints etcd-ca etcd-cert etcd-key etcd-user etcd-password-file token-file insecure-no-auth tls-cert tls-key data-dir kubeconfig cluster log-level',
  },
  {
    part: 'agent',
    table: AGENT_FLAGS as Record<string, unknown>,
    own: 'master master-ca cluster listen port hostname resources attributes docker-socket docker-config token-file insecure-no-auth tls-cert tls-key work-dir log-level',
  },
])('$part.flags takes every flag of `berth $part` that has no value of its own', ({ part, table, own }) => {
  const rest = Object.keys(table).map(flagName).filter((name) => !own.split(' ').includes(name));
  const allowed = schema.properties?.[part]?.properties?.['flags']?.propertyNames?.enum;
  expect([...(allowed ?? [])].sort()).toEqual(rest.sort());
});

test('versions of the chart: appVersion is the version of the package', () => {
  const chart = parse(readFileSync(join(CHART, 'Chart.yaml'), 'utf8')) as { appVersion: string };
  const { version } = JSON.parse(readFileSync(join(CHART, '../../package.json'), 'utf8')) as { version: string };
  expect(chart.appVersion).toBe(version);
});

test('there is a file of values for each mode of agents and each source of secrets', () => {
  const texts = readdirSync(join(CHART, 'ci')).map((name) => readFileSync(join(CHART, 'ci', name), 'utf8'));
  for (const mode of ['"off"', 'hostDocker', 'dind:'])
    expect(texts.some((text) => text.includes(mode))).toBe(true);
  for (const source of ['certManager:', 'existingSecret:', 'insecureNoAuth: true', 'externalEtcd:'])
    expect(texts.some((text) => text.includes(source))).toBe(true);
});

function pathsOf(value: Record<string, unknown>, node: Schema, at: string, inValues: string[], inSchema: string[]): void {
  for (const key of Object.keys(node.properties ?? {})) inSchema.push(`${at}${key}`);
  for (const [key, inner] of Object.entries(value)) {
    inValues.push(`${at}${key}`);
    const below = node.properties?.[key];
    if (below?.properties !== undefined) pathsOf(inner as Record<string, unknown>, below, `${at}${key}.`, inValues, inSchema);
  }
}

function walkSchema(node: Schema, at: string, visit: (path: string, node: Schema) => void): void {
  if (node.properties !== undefined) visit(at, node);
  for (const [key, inner] of Object.entries(node.properties ?? {})) walkSchema(inner, at === '' ? key : `${at}.${key}`, visit);
}
