import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { freePorts, startProcess, type RunningProcess } from '../support/process';
import { waitFor } from '../support/wait';
import { ciFile, describeWith, find, render, run, type KubeObject } from './helm';

const MAIN = resolve(process.cwd(), 'dist/main.js');

/** The chart's flags and certificates given to a real etcd, and a real server that is its client. */
describeWith('helm')("the chart's etcd with TLS", () => {
  let folder: string;
  let etcd: RunningProcess;
  let server: RunningProcess | undefined;
  let objects: KubeObject[];
  let endpoint: string;
  let metrics: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'berth-etcd-tls-'));
    objects = render('-f', ciFile('default'), '--set', 'etcd.tls.enabled=true,etcd.replicas=1');
    mkdirSync(join(folder, 'tls'));
    for (const [key, value] of Object.entries(find(objects, 'Secret', 'rel-berth-etcd-tls').data ?? {}))
      writeFileSync(join(folder, 'tls', key), Buffer.from(value, 'base64'), { mode: 0o600 });
    const [client = 0, peer = 0, plain = 0] = await freePorts(3);
    endpoint = `https://127.0.0.1:${client}`;
    metrics = `http://127.0.0.1:${plain}`;
    etcd = startProcess(['etcd', ...argumentsHere(client, peer, plain)], join(folder, 'etcd.log'));
    await waitFor(`etcd: ${etcd.log()}`, () => run('curl', ['-sf', '--max-time', '2', `${metrics}/health`]).code === 0);
  });
  afterAll(async () => {
    await server?.kill('SIGTERM');
    await etcd?.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });

  /** The arguments of the pod, with loopback in place of names that only resolve in Kubernetes. */
  function argumentsHere(client: number, peer: number, plain: number): string[] {
    const { template } = find(objects, 'StatefulSet', 'rel-berth-etcd').spec as {
      template: { spec: { containers: { args: string[] }[] } };
    };
    return (template.spec.containers[0]?.args ?? []).map((arg) =>
      arg
        .replaceAll('$(POD_NAME)', 'rel-berth-etcd-0')
        .replaceAll(/(rel-berth-etcd-0\.rel-berth-etcd-headless[a-z.]*|0\.0\.0\.0):/g, '127.0.0.1:')
        .replace(':2379', `:${client}`)
        .replace(':2380', `:${peer}`)
        .replace(':2381', `:${plain}`)
        .replace('/var/lib/etcd/data', join(folder, 'data'))
        .replace('/etc/etcd/tls', join(folder, 'tls')),
    );
  }

  test('takes only clients with a certificate of the authority', () => {
    const get = ['-s', '--max-time', '5', '--cacert', join(folder, 'tls/ca.crt'), `${endpoint}/version`];
    expect(run('curl', get).code).not.toBe(0);
    const shown = ['--cert', join(folder, 'tls/tls.crt'), '--key', join(folder, 'tls/tls.key')];
    expect(run('curl', [...shown, ...get])).toMatchObject({ code: 0, out: expect.stringContaining('etcdserver') });
  });

  test('has the quota that the values say', () => {
    const { out } = run('curl', ['-s', '--max-time', '5', `${metrics}/metrics`]);
    expect(Number(/^etcd_server_quota_backend_bytes (\S+)$/m.exec(out)?.[1])).toBe(2048 * 1024 * 1024);
  });

  test("is used by a server with the pod's environment", async () => {
    const { template } = find(objects, 'StatefulSet', 'rel-berth-server').spec as {
      template: { spec: { containers: { env: { name: string; value?: string }[] }[] } };
    };
    const given = (template.spec.containers[0]?.env ?? []).filter(({ name }) => name.startsWith('BERTH_ETCD_'));
    const env = Object.fromEntries(
      given.map(({ name, value = '' }) => [name, value.replace('/etc/berth/etcd-tls', join(folder, 'tls'))]),
    );
    expect(Object.keys(env).sort()).toEqual(['BERTH_ETCD_CA', 'BERTH_ETCD_CERT', 'BERTH_ETCD_ENDPOINTS', 'BERTH_ETCD_KEY']);
    const [marathon = 0, mesos = 0, kube = 0] = await freePorts(3);
    const flags = [`--marathon-port=${marathon}`, `--mesos-port=${mesos}`, `--kube-port=${kube}`, `--data-dir=${folder}/server`];
    const command = [process.execPath, MAIN, 'server', ...flags];
    server = startProcess(command, join(folder, 'server.log'), { ...env, BERTH_ETCD_ENDPOINTS: endpoint });
    const ask = ['-sf', '--max-time', '5', `http://127.0.0.1:${marathon}/readyz`];
    await waitFor('the server to be ready', () => run('curl', ask).code === 0, 60_000, 500);
  });
});
