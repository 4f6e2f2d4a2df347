import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compareText } from '../../src/core/lifecycle/views';
import { freePort } from '../support/etcd';
import { waitFor } from '../support/wait';
import { IMAGE, startWorld, webApp, type World } from '../e2e/world';
import { DEPLOY, Prometheus, type Target } from './prometheus';
import { dashboards, queries, rules, withVariables } from './sources';

/** What cannot have data in a cluster where all is well, by name of the query, with the reason. */
const NO_DATA: ReadonlyMap<string, string> = new Map([
  ['Berth / Agent | Failed calls | A', 'Docker answers every call'],
  ['Berth / Control plane | Failed calls | A', 'etcd answers every call'],
]);

const METRICS_APP = webApp('/shop/web', {
  role: 'shop',
  instances: 2,
  cmd: 'mkdir -p /www && echo "demo_orders_total 7" > /www/numbers && echo ok > /www/index.html && exec httpd -f -p 8080 -h /www',
  labels: { 'prometheus.io/scrape': 'true', 'prometheus.io/path': '/numbers', 'prometheus.io/port': 'http' },
  container: {
    type: 'DOCKER',
    docker: { image: IMAGE },
    portMappings: [
      { containerPort: 9999, hostPort: 0, name: 'other' },
      { containerPort: 8080, hostPort: 0, name: 'http' },
    ],
  },
  networks: [{ mode: 'container/bridge' }],
  healthChecks: [{ protocol: 'HTTP', portIndex: 1, path: '/', intervalSeconds: 1, gracePeriodSeconds: 20 }],
});

let world: World;
let prometheus: Prometheus;

beforeAll(async () => {
  world = await startWorld({ servers: 3, agents: 1 });
  // It listens where its name leads, as agents on machines of their own do.
  await world.cluster.addAgent(['--listen=127.0.0.2']);
  await world.cluster.ready();
  const { marathon } = world;
  putRole(world.etcd.endpoint);
  await marathon.ok('POST', '/v2/apps', METRICS_APP);
  await marathon.ok(
    'POST',
    '/v2/apps',
    job('/batch/fails', { cmd: 'sleep 1; exit 1', backoffSeconds: 1, maxLaunchDelaySeconds: 2 }),
  );
  await marathon.ok('POST', '/v2/apps', job('/batch/killed', {}));
  await marathon.ok('POST', '/v2/apps', job('/batch/huge', { cpus: 1_000 }));
  await marathon.ok('POST', '/v2/apps', job('/batch/unhealthy', unhealthy()));
  await marathon.ok(
    'POST',
    '/v2/apps',
    job('/batch/unknown', {
      backoffSeconds: 300,
      container: { type: 'DOCKER', docker: { image: '127.0.0.1:9/no/such' } },
    }),
  );
  prometheus = await Prometheus.start(join(world.cluster.dir, 'prometheus'), configuration(await freePort()));
  await waitFor('the web app to be healthy', async () => (await app('/shop/web')).tasksHealthy === 2, 60_000);
}, 180_000);
afterAll(async () => {
  await prometheus?.stop();
  await world?.stop();
}, 120_000);

function job(id: string, overrides: Record<string, unknown>): Record<string, unknown> {
  return {
    id,
    cmd: 'sleep 1000',
    cpus: 0.1,
    mem: 32,
    container: { type: 'DOCKER', docker: { image: IMAGE } },
    ...overrides,
  };
}

/** Its check fails, and nobody kills it for that. */
function unhealthy(): Record<string, unknown> {
  const check = {
    protocol: 'COMMAND',
    command: { value: 'false' },
    intervalSeconds: 1,
    gracePeriodSeconds: 0,
    maxConsecutiveFailures: 0,
  };
  return { healthChecks: [check] };
}

function putRole(endpoint: string): void {
  const metadata = { name: 'shop', uid: 'r1', creationTimestamp: '2024-01-01T00:00:00Z', generation: 1 };
  const spec = { name: 'shop', weight: 2, quota: { guarantees: { cpus: 1, mem: 64 }, limits: { cpus: 8, mem: 512 } } };
  const record = JSON.stringify({ kind: 'Role', metadata, spec });
  const env = { ...process.env, ETCDCTL_API: '3' };
  execFileSync('etcdctl', [`--endpoints=${endpoint}`, 'put', '/berth/v1/roles/shop', record], { env, timeout: 10_000 });
}

/** deploy/prometheus/prometheus.yml as it is, with the job for Marathon switched on; only addresses and intervals differ. */
function configuration(unused: number): string {
  const etcd = world.etcd.endpoint.replace('http://', '');
  const servers = world.cluster.servers.map(({ marathonUrl }) => marathonUrl.replace('http://', ''));
  const text = readFileSync(join(DEPLOY, 'prometheus/prometheus.yml'), 'utf8');
  const [head = '', example = ''] = text.split('  # A configuration that was written for Marathon');
  const switchedOn = example
    .split('\n')
    .slice(1)
    .map((line) => line.replace(/^ {2}# /, '  '))
    .join('\n');
  return (head + switchedOn)
    .replaceAll(/berth-([123]):8080/g, (_, n: string) => servers[Number(n) - 1] ?? `127.0.0.1:${unused}`)
    .replaceAll(/berth-[123]:2379/g, etcd)
    .replaceAll(/(scrape_interval|evaluation_interval): \d+s/g, '$1: 2s')
    .replaceAll(/refresh_interval: \d+s/g, 'refresh_interval: 1s');
}

function agentUrls(): string[] {
  return world.cluster.agents.map(({ name, port }) => `http://${name}:${port}`);
}

async function app(id: string) {
  return world.marathon.app(id);
}

const ofJob = (targets: readonly Target[], job: string) => targets.filter(({ labels }) => labels['job'] === job);

test('every process is found and scraped, each once', async () => {
  const wanted = { 'berth-server': 3, 'berth-agent': 2, 'berth-etcd': 1, apps: 2 };
  const settled = async () => {
    const targets = (await prometheus.targets()).filter(({ labels }) => labels['job'] !== 'marathon');
    return targets.every(({ health }) => health === 'up') && ofJob(targets, 'apps').length === 2 && targets;
  };
  const up = await waitFor('all targets to be up', settled, 60_000).catch(async (error: unknown) => {
    throw new Error(JSON.stringify(await prometheus.targets(), undefined, 1), { cause: error });
  });
  expect(Object.fromEntries(Object.keys(wanted).map((name) => [name, ofJob(up, name).length]))).toEqual(wanted);
  expect(ofJob(up, 'apps').map(({ labels }) => [labels['app'], labels['port']])).toEqual([
    ['/shop/web', 'http'],
    ['/shop/web', 'http'],
  ]);
}, 90_000);

test('an app is scraped at the path and port that its labels name', async () => {
  const series = await waitFor('metrics of the app', async () => {
    const found = await prometheus.query('demo_orders_total');
    return found.length === 2 && found;
  });
  const tasks = (await app('/shop/web')).tasks.map(({ id }) => id);
  expect(new Set(series.map(({ metric }) => metric['task_id']))).toEqual(new Set(tasks));
  expect(series.map(({ value }) => value[1])).toEqual(['7', '7']);
});

test("Prometheus' own discovery for Marathon works", async () => {
  const found = await waitFor(
    'targets of Marathon',
    async () => {
      const targets = ofJob(await prometheus.targets(), 'marathon').filter(
        ({ labels }) => labels['app'] === '/shop/web',
      );
      return targets.length === 4 && targets;
    },
    60_000,
  );
  const { tasks } = await app('/shop/web');
  const wanted = tasks.flatMap(({ host, ports }) => ports.map((port) => `http://${host}:${port}/metrics`));
  expect(new Set(found.map(({ scrapeUrl }) => scrapeUrl))).toEqual(new Set(wanted));
});

test.each(['server', 'agent'])('promtool has nothing against the metrics of a %s', async (part) => {
  const urls = {
    server: (await world.cluster.leader()).marathonUrl,
    agent: agentUrls()[0] ?? '',
  };
  await (await fetch(`${urls[part as 'agent']}/metrics`)).text(); // the first scrape measures, the second shows
  const text = await (await fetch(`${urls[part as 'agent']}/metrics`)).text();
  expect(text).toContain('berth_build_info{');
  const checked = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8', timeout: 20_000 });
  expect(checked.stdout + checked.stderr).toBe('');
  expect(checked.status).toBe(0);
});

/** Sums over all servers that are right if only the leader tells. */
async function sums(): Promise<(string | undefined)[]> {
  const numbers = ['berth_agents{state="connected"}', 'berth_leader', 'berth_app_instances_desired{app="/shop/web"}'];
  const found = await Promise.all(numbers.map((name) => prometheus.query(`sum(${name})`)));
  return found.map(([sum]) => sum?.value[1]);
}

async function onceRight(): Promise<void> {
  await waitFor('right sums', async () => (await sums()).join() === '2,1,2').catch(async (error: unknown) => {
    const series = await prometheus.query('berth_agents');
    throw new Error(`${(await sums()).join()} ${JSON.stringify(series)}`, { cause: error });
  });
}

/** Rows of METRICS.md as they should be: every metric of ours, once, with what its HELP says. */
function metricRows(text: string, where: string): string[] {
  const labels = new Map<string, Set<string>>();
  for (const [, name = '', list = ''] of text.matchAll(/^(berth_\w+)\{([^}]*)\}/gm)) {
    const base = name.replace(/_(bucket|sum|count)$/, '');
    const known = labels.get(base) ?? labels.get(name) ?? new Set<string>();
    for (const [, label = ''] of list.matchAll(/(\w+)="/g)) if (label !== 'le' && label !== 'cluster') known.add(label);
    labels.set(base, known).set(name, known);
  }
  const types = new Map([...text.matchAll(/^# TYPE (berth_\w+) (\w+)$/gm)].map(([, name, type]) => [name, type]));
  return [...text.matchAll(/^# HELP (berth_\w+) (.*)$/gm)].map(([, name = '', help = '']) => {
    const shown = [...(labels.get(name) ?? [])].toSorted().join(', ');
    return `| \`${name}\` | ${where} | ${types.get(name) ?? ''} | ${shown} | ${help.replace(/\.$/, '')} |`;
  });
}

test('METRICS.md lists every metric of ours (UPDATE_METRICS=1 writes it)', async () => {
  const leader = await (await fetch(`${(await world.cluster.leader()).marathonUrl}/metrics`)).text();
  const agent = await waitFor('tasks to be measured', async () => {
    const text = await (await fetch(`${agentUrls()[0] ?? ''}/metrics`)).text();
    return text.includes('berth_task_cpu_seconds_total{') && text;
  });
  const onAgent = new Set(metricRows(agent, '').map(nameOf));
  const onServer = metricRows(leader, 'server').map((row) =>
    onAgent.has(nameOf(row)) ? row.replace('| server |', '| both |') : row,
  );
  const rows = new Map([...metricRows(agent, 'agent'), ...onServer].map((row) => [nameOf(row), row]));
  const wanted = [...rows.values()].toSorted((a, b) => compareText(nameOf(a), nameOf(b)));
  const file = join(DEPLOY, 'prometheus/METRICS.md');
  const text = readFileSync(file, 'utf8');
  const listed = text.split('\n').filter((line) => line.startsWith('| `'));
  if (process.env['UPDATE_METRICS'] !== undefined) writeFileSync(file, updated(text, listed, wanted));
  // Which labels can be seen depends on what has happened by now.
  const bare = (lines: readonly string[]) => lines.map((line) => line.split(' | ').toSpliced(3, 1).join(' | '));
  expect(bare(listed)).toEqual(bare(wanted));
});

/** Labels that were known before stay known: some come with events that did not happen today. */
function updated(text: string, listed: readonly string[], wanted: readonly string[]): string {
  const known = new Map(listed.map((row) => [nameOf(row), row.split(' | ')[3] ?? '']));
  const rows = wanted.map((row) => {
    const cells = row.split(' | ');
    const labels = cells[3]?.trim() === '' ? (known.get(nameOf(row)) ?? '') : (cells[3] ?? '');
    return cells.toSpliced(3, 1, labels).join(' | ');
  });
  return `${text.slice(0, text.indexOf('|---|'))}|---|---|---|---|---|\n${rows.join('\n')}\n`;
}

function nameOf(row: string): string {
  return row.split('`')[1] ?? '';
}

test('the sum over all servers counts the cluster once, also after a change of leader', async () => {
  await onceRight();
  const former = await world.cluster.leader();
  await former.process.kill('SIGSTOP');
  try {
    await waitFor('another leader', async () => {
      const other = world.cluster.servers.find((server) => server !== former);
      const { body } = (await other?.marathon.call('GET', '/v2/leader')) ?? {};
      const leader = (body as { leader?: string } | undefined)?.leader;
      return leader !== undefined && `http://${leader}` !== former.marathonUrl;
    });
  } finally {
    await former.process.kill('SIGCONT');
  }
  await onceRight();
  const text = await (await fetch(`${former.marathonUrl}/metrics`)).text();
  expect(
    text
      .split('\n')
      .filter((line) =>
        /^berth_(agents|app_|tasks|resources_|rollouts_active|offers_outstanding|decline_filters|kill_brake)/.test(
          line,
        ),
      ),
  ).toEqual([]);
}, 120_000);

test('every query of every dashboard brings data', async () => {
  await world.marathon.ok('DELETE', '/v2/apps//batch/killed'); // a kill, and a rollout that ends
  const all = queries();
  expect(all.length).toBeGreaterThan(100);
  const empty = async () => {
    const names: string[] = [];
    for (const { name, expression } of all) {
      const series = await prometheus.query(expression);
      if (!series.some(({ value }) => value[1] !== 'NaN')) names.push(name);
    }
    return names.filter((name) => !NO_DATA.has(name));
  };
  let left: string[] = [];
  await waitFor('data', async () => (left = await empty()).length === 0, 60_000, 1_000).catch(() => undefined);
  expect(left).toEqual([]);
}, 90_000);

test('every variable of every dashboard has values', async () => {
  for (const board of dashboards()) {
    for (const { definition } of board.templating.list) {
      if (definition === undefined) continue;
      const [, selector = '', label = ''] = /^label_values\((.*), (\w+)\)$/.exec(definition) ?? [];
      expect([board.title, definition, await prometheus.labelValues(label, withVariables(selector))]).not.toEqual([
        board.title,
        definition,
        [],
      ]);
    }
  }
});

test('every rule is evaluated, and what recording rules record is there', async () => {
  const states = await waitFor('the rules to be evaluated', async () => {
    const found = await prometheus.rules();
    return found.every(({ health }) => health !== 'unknown') && found;
  });
  expect(states.length).toBe(rules().length);
  expect(states.filter(({ health }) => health !== 'ok')).toEqual([]);
  for (const { record } of rules()) {
    if (record !== undefined) expect([record, (await prometheus.query(record)).length > 0]).toEqual([record, true]);
  }
});

test('what is wrong in this cluster is on its way to be told, in words, and nothing else', async () => {
  const expected = [
    ['BerthAppBelowDesired', '/batch/huge'],
    ['BerthAppBelowDesired', '/batch/unknown'],
    ['BerthAppUnhealthy', '/batch/unhealthy'],
    ['BerthTaskCrashLoop', '/batch/fails'],
  ];
  // Chance: how many pulls have failed by now, whether the app that fails runs just now, how busy this machine is, what was asked
  // while the leader changed.
  const chance =
    /^BerthImagePullsFailing |^BerthAppBelowDesired \/batch\/fails|Slow|Blocked|Behind|LeaderChanges|RequestsFailing/;
  const isChance = ({ alertname = '', app = '' }: Readonly<Record<string, string>>) =>
    chance.test(`${alertname} ${app}`);
  const active = async () => (await prometheus.alerts()).filter(({ labels }) => !isChance(labels));
  const told = async () => (await active()).map(({ labels }) => [labels['alertname'], labels['app']]);
  const has = (list: unknown[], item: unknown) => list.some((one) => JSON.stringify(one) === JSON.stringify(item));
  const found = await waitFor(
    'the alerts',
    async () => {
      const list = await told();
      return expected.every((item) => has(list, item)) && list;
    },
    90_000,
  ).catch(async (error: unknown) => {
    throw new Error(JSON.stringify(await told()), { cause: error });
  });
  expect(found.filter((item) => !has(expected, item))).toEqual([]);
  const texts = (await active()).map(({ annotations }) => Object.values(annotations).join(' '));
  expect(texts.filter((text) => /error|no value|\{\{/i.test(text))).toEqual([]);
}, 120_000);

test('an app that is removed leaves no series and no target behind', async () => {
  await world.marathon.ok('DELETE', '/v2/apps//shop/web?force=true');
  await waitFor(
    'its tasks to end',
    async () => (await world.marathon.call('GET', '/v2/apps//shop/web')).status === 404,
    60_000,
  );
  const pages = async () =>
    Promise.all(
      [...world.cluster.servers.map(({ marathonUrl }) => marathonUrl), ...agentUrls()].map(async (url) =>
        (await fetch(`${url}/metrics`)).text(),
      ),
    );
  await waitFor('the series to go', async () => !(await pages()).join('\n').includes('/shop/web'));
  await waitFor('the targets to go', async () => ofJob(await prometheus.targets(), 'apps').length === 0);
}, 120_000);
