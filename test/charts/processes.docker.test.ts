import { chmodSync, chownSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { startDocker, type TestDocker } from '../support/docker';
import { startEtcd, type RealEtcd } from '../support/etcd';
import { importBusybox } from '../support/images';
import { freePorts, startProcess, type RunningProcess } from '../support/process';
import { waitFor } from '../support/wait';
import { CHART, ciFile, describeWith, find, render, run, type KubeObject } from './helm';

const MAIN = resolve(process.cwd(), 'dist/main.js');
const IMAGE = 'berth/test:1';
/** As in podSecurityContext. */
const USER = 10_001;

/**
 * What the chart gives the processes, given to real ones: its arguments, certificates and token; servers as a user without rights
 * on a file system that is read-only but for the volumes. Pods' names do not resolve here: they are replaced by addresses.
 */
describeWith('helm')("the chart's processes", () => {
  let folder: string;
  let etcd: RealEtcd;
  let engine: TestDocker;
  let objects: KubeObject[];
  const processes: RunningProcess[] = [];
  const ports: { marathon: number; mesos: number; kube: number }[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'berth-chart-'));
    chmodSync(folder, 0o755);
    objects = render('-f', ciFile('default'), '--set', 'agent.mode=hostDocker', '--set-string', 'agent.flags.gc-delay=1days');
    secretFiles(find(objects, 'Secret', 'rel-berth-tls'), 'pki', { 'ca.crt': 'ca.crt', 'tls.crt': 'server.crt', 'tls.key': 'server.key' });
    secretFiles(find(objects, 'Secret', 'rel-berth-token'), 'token', { token: 'token' });
    [etcd, engine] = await Promise.all([startEtcd(), startDocker()]);
    await importBusybox(engine.socketPath, IMAGE);
    for (let i = 0; i < 2; i++) await startServer(i);
  });
  afterAll(async () => {
    for (const one of processes) await one.kill('SIGTERM');
    await engine?.stop();
    await etcd?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** As a Secret's volume: the group of the pod may read, nobody may write. */
  function secretFiles(secret: KubeObject, name: string, paths: Readonly<Record<string, string>>): void {
    const at = join(folder, name);
    mkdirSync(at);
    for (const [key, path] of Object.entries(paths)) {
      writeFileSync(join(at, path), Buffer.from(secret.data?.[key] ?? '', 'base64'));
      chownSync(join(at, path), 0, USER);
      chmodSync(join(at, path), 0o440);
    }
    chmodSync(at, 0o555);
  }

  function podOf(kind: string, name: string): { args: string[]; env?: { name: string; value?: string }[] } {
    const { template } = find(objects, kind, name).spec as {
      template: { spec: { containers: { args: string[]; env?: { name: string; value?: string }[] }[] } };
    };
    const [main] = template.spec.containers;
    if (main === undefined) throw new Error(`${name} has no container`);
    return main;
  }

  /** What a variable of a server's container says, in this test: its folders and the port of the first server. */
  function inFolder(value: string): string {
    return value
      .replace('/var/lib/berth/server', folder)
      .replace('/etc/berth', folder)
      .replace(':8080', `:${ports[0]?.marathon}`);
  }

  function argumentsOf(kind: string, name: string, changes: Readonly<Record<string, string>>): string[] {
    const given = podOf(kind, name).args;
    const names = given.map((arg) => arg.split('=')[0]);
    for (const flag of Object.keys(changes)) expect(names).toContain(flag);
    return given.map((arg) => {
      const flag = arg.split('=')[0] ?? '';
      return changes[flag] === undefined ? arg : `${flag}=${changes[flag]}`;
    });
  }

  async function startServer(index: number): Promise<void> {
    const [marathon = 0, mesos = 0, kube = 0] = await freePorts(3);
    ports.push({ marathon, mesos, kube });
    const data = join(folder, `data-${index}`);
    mkdirSync(join(data, 'pki'), { recursive: true });
    chownSync(data, USER, USER);
    const args = argumentsOf('StatefulSet', 'rel-berth-server', {
      '--listen': '127.0.0.1',
      '--marathon-port': String(marathon),
      '--mesos-port': String(mesos),
      '--kube-port': String(kube),
      '--hostname': '127.0.0.1',
      '--advertise-address': '127.0.0.1',
      '--data-dir': data,
      '--token-file': join(folder, 'token/token'),
      '--tls-cert': join(data, 'pki/server.crt'),
      '--tls-key': join(data, 'pki/server.key'),
    });
    // The volume of the pod, and in it the Secret's; everything else becomes read-only, in a mount namespace of its own.
    const confine = `set -e
      mount --bind "${data}" "${data}"
      mount --bind "${folder}/pki" "${data}/pki"
      mount -o remount,bind,ro "${data}/pki"
      mount -o remount,bind,ro /
      if touch "${folder}/probe" "${data}/pki/probe" 2>/dev/null; then echo "not read-only" >&2; exit 9; fi
      exec setpriv --reuid=${USER} --regid=${USER} --clear-groups --no-new-privs --bounding-set=-all "$@"`;
    const command = ['unshare', '--mount', 'sh', '-c', confine, 'sh', process.execPath, MAIN, ...args];
    processes.push(
      startProcess(command, join(folder, `server-${index}.log`), { BERTH_ETCD_ENDPOINTS: etcd.endpoint }),
    );
  }

  function startAgent(): void {
    const [first, second] = ports;
    const args = argumentsOf('DaemonSet', 'rel-berth-agent', {
      '--master': `https://127.0.0.1:${first?.mesos},https://127.0.0.1:${second?.mesos}`,
      '--listen': '127.0.0.1',
      '--port': '0',
      '--hostname': '127.0.0.1',
      '--work-dir': join(folder, 'work'),
      '--docker-socket': engine.socketPath,
      '--attributes': 'node:one',
      '--token-file': join(folder, 'token/token'),
      '--master-ca': join(folder, 'pki/ca.crt'),
    });
    // Root with four capabilities, as in the chart; the work folder and the socket are all it can write to.
    const confine = `set -e
      mkdir -p "${folder}/work"
      mount --bind "${folder}/work" "${folder}/work"
      mount -o remount,bind,ro /
      exec setpriv --no-new-privs --bounding-set=-all,+chown,+dac_override,+fowner,+kill "$@"`;
    const command = ['unshare', '--mount', 'sh', '-c', confine, 'sh', process.execPath, MAIN, ...args];
    processes.push(startProcess(command, join(folder, 'agent.log')));
  }

  /** `helm test` against one of the servers. */
  function helmTest(server: number, env: Readonly<Record<string, string>> = {}) {
    return run(process.execPath, [join(CHART, 'files/deploy-app.js')], {
      env: {
        BERTH_URL: `https://127.0.0.1:${ports[server]?.marathon}`,
        TOKEN_FILE: join(folder, 'token/token'),
        NODE_EXTRA_CA_CERTS: join(folder, 'pki/ca.crt'),
        APP_IMAGE: IMAGE,
        TIMEOUT_SECONDS: '45',
        ...env,
      },
    });
  }

  const logs = () => processes.map((one) => one.log().slice(-1_500)).join('\n---\n');

  test('probes get their answers without a token, over TLS; metrics need it', async () => {
    for (const { marathon } of ports)
      await waitFor(`server ready; ${logs()}`, () => ask(marathon, '/readyz').includes(' 200'), 60_000, 500);
    expect(ask(ports[0]?.marathon ?? 0, '/healthz')).toContain(' 200');
    expect(ask(ports[0]?.marathon ?? 0, '/metrics')).toContain(' 401');
    const token = Buffer.from(find(objects, 'Secret', 'rel-berth-token').data?.['token'] ?? '', 'base64').toString();
    expect(ask(ports[1]?.marathon ?? 0, '/metrics', token)).toContain(' 200');
    // The port for kubectl has the same certificate.
    expect(ask(ports[0]?.kube ?? 0, '/version', token)).toContain(' 200');
  });

  test('in the pod of a server the command line needs no flags', async () => {
    await waitFor(`a leader; ${logs()}`, () => ask(ports[0]?.marathon ?? 0, '/readyz').includes(' 200'), 60_000, 500);
    const env = Object.fromEntries(
      (podOf('StatefulSet', 'rel-berth-server').env ?? []).flatMap(({ name, value = '' }) =>
        /^(BERTH_(URL|TOKEN_FILE|ROLE)|NODE_EXTRA_CA_CERTS)$/.test(name) ? [[name, inFolder(value)]] : [],
      ),
    );
    const berth = (...args: readonly string[]) => run(process.execPath, [MAIN, ...args], { env });
    const { code, out, err } = berth('status');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(/^server {2}https:\/\/localhost:\d+,[^]*etcd {4}healthy/);
    expect(berth('logs', '/none').err).toContain('/none');
    const { mesos, kube } = ports[0] ?? { mesos: 0, kube: 0 };
    const looked = berth('doctor', '--json', '--etcd-endpoints', etcd.endpoint, '--mesos-port', `${mesos}`, '--kube-port', `${kube}`);
    const findings = JSON.parse(looked.out) as { check: string; what: string }[];
    expect(findings.find(({ check }) => check === `port ${mesos}`)?.what).toBe('the Mesos API listens');
    expect(findings.map(({ check }) => check)).not.toContain('docker');
  });

  test('servers made no certificates of their own', () => {
    expect(readdirSync(join(folder, 'data-0'))).toEqual(['kubeconfig', 'pki', 'seen']);
    expect(readdirSync(join(folder, 'pki')).sort()).toEqual(['ca.crt', 'server.crt', 'server.key']);
  });

  test('helm test without agents: an app without instances, when none are expected', () => {
    const { code, out, err } = helmTest(0, { AGENTS_EXPECTED: 'false' });
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toContain('with 0 instance(s) and removed');
  });

  test('helm test without agents fails when they are expected, and says so', () => {
    const { code, err } = helmTest(0, { TIMEOUT_SECONDS: '3' });
    expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining('waiting: the agents; last answer: no agent is active') });
  });

  test('helm test with an agent: an app runs and is removed, by any server', async () => {
    startAgent();
    for (const server of [0, 1]) {
      const { code, out, err } = helmTest(server);
      expect({ code, err, log: code === 0 ? '' : logs() }).toEqual({ code: 0, err: '', log: '' });
      expect(out).toContain('with 1 instance(s) and removed');
    }
  });

  test('helm test with an image that cannot be had fails with the reason, and removes its app', async () => {
    const { code, err } = helmTest(0, { APP_IMAGE: '127.0.0.1:1/no/such:image', TIMEOUT_SECONDS: '10' });
    expect(code).toBe(1);
    expect(err).toMatch(/0 of 1 run/);
    const { out } = run('curl', [
      ...curl(ports[0]?.marathon ?? 0, '/v2/apps'),
      '-H',
      `Authorization: Bearer ${Buffer.from(find(objects, 'Secret', 'rel-berth-token').data?.['token'] ?? '', 'base64').toString()}`,
    ]);
    expect(JSON.parse(out)).toEqual({ apps: [] });
  });

  test('helm test with a wrong token fails with the answer', () => {
    writeFileSync(join(folder, 'wrong'), 'x'.repeat(20));
    const { code, err } = helmTest(0, { TOKEN_FILE: join(folder, 'wrong'), TIMEOUT_SECONDS: '3' });
    expect({ code, err }).toEqual({ code: 1, err: expect.stringMatching(/FAILED: .* 401 / ) });
  });

  const curl = (port: number, path: string) => [
    '-s',
    '--max-time',
    '10',
    '--cacert',
    join(folder, 'pki/ca.crt'),
    `https://127.0.0.1:${port}${path}`,
  ];

  /** The status line of an answer. */
  function ask(port: number, path: string, token?: string): string {
    const { out } = run('curl', [
      ...curl(port, path),
      '-D',
      '-',
      '-o',
      '/dev/null',
      ...(token === undefined ? [] : ['-H', `Authorization: Bearer ${token}`]),
    ]);
    return out.split('\n')[0] ?? '';
  }
});
