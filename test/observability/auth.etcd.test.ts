import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { startEtcd, type RealEtcd } from '../support/etcd';
import { freePorts, startProcess, type RunningProcess } from '../support/process';
import { waitFor } from '../support/wait';
import { Prometheus } from './prometheus';

const TOKEN = 'harbour-master-0815';

let dir: string;
let etcd: RealEtcd;
let server: RunningProcess;
let address: string;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'berth-metrics-auth-'));
  etcd = await startEtcd();
  const [marathon = 0, mesos = 0, kube = 0] = await freePorts(3);
  address = `127.0.0.1:${marathon}`;
  writeFileSync(join(dir, 'berth-token'), `${TOKEN}\n`);
  const flags = [
    `--etcd-endpoints=${etcd.endpoint}`,
    `--marathon-port=${marathon}`,
    `--mesos-port=${mesos}`,
    `--kube-port=${kube}`,
    `--data-dir=${dir}/data`,
    `--token-file=${dir}/berth-token`,
    '--cluster=harbour',
  ];
  server = startProcess([process.execPath, resolve('dist/main.js'), 'server', ...flags], join(dir, 'server.log'));
  await waitFor('the server to be ready', async () => (await fetch(`http://${address}/readyz`)).ok);
}, 60_000);
afterAll(async () => {
  await server.kill('SIGKILL');
  await etcd.stop();
  rmSync(dir, { recursive: true, force: true });
}, 60_000);

test.each(['/metrics', '/v1/sd/prometheus'])('%s needs the token', async (path) => {
  const ask = async (authorization?: string) =>
    (await fetch(`http://${address}${path}`, authorization === undefined ? {} : { headers: { authorization } })).status;
  const basic = Buffer.from(`prometheus:${TOKEN}`).toString('base64');
  expect(await Promise.all([ask(), ask('Bearer wrong'), ask(`Bearer ${TOKEN}`), ask(`Basic ${basic}`)])).toEqual([
    401, 401, 200, 200,
  ]);
});

test.each([
  ['the token in a file', 'authorization: { credentials_file: token }', 'up'],
  ['the token as password', 'basic_auth: { username: prometheus, password_file: token }', 'up'],
  ['no token', 'honor_labels: false', 'down'],
])('Prometheus with %s', async (name, access, health) => {
  const folder = join(dir, name.replaceAll(' ', '-'));
  const job = `  - job_name: berth-server
    scrape_interval: 1s
    ${access}
    http_sd_configs:
      - url: http://${address}/v1/sd/prometheus?kind=server
        authorization: { type: Bearer, credentials: ${TOKEN} }
        refresh_interval: 1s
`;
  const prometheus = await Prometheus.start(folder, `scrape_configs:\n${job}`, TOKEN);
  try {
    const [target] = await waitFor('a scrape', async () => {
      const targets = await prometheus.targets();
      return targets.some((one) => one.health !== 'unknown') && targets;
    });
    expect([target?.scrapeUrl, target?.health]).toEqual([`http://${address}/metrics`, health]);
    if (health === 'down') return;
    const leader = await waitFor('the leader', async () => {
      const series = await prometheus.query('berth_leader == 1');
      return series.length > 0 && series;
    });
    expect(leader[0]?.metric).toMatchObject({ cluster: 'harbour', job: 'berth-server' });
  } finally {
    await prometheus.stop();
  }
});
