import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAgentOptions, parseServerOptions } from '../../src/cli/options';
import { readTokenFile } from '../../src/cli/token';
import { UsageError } from '../../src/cli/usage-error';

let folder: string;
let tokenFile: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'berth-options-'));
  tokenFile = join(folder, 'token');
  writeFileSync(tokenFile, 'abcdefghijklmnopqrstuvwxyz\n');
});
afterAll(() => rmSync(folder, { recursive: true }));

/** The one line a command line is refused with. */
function refusal(parse: () => unknown): string {
  try {
    parse();
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
  throw new Error('was not refused');
}

describe('parseServerOptions', () => {
  test('is safe and complete without any flag', () => {
    expect(parseServerOptions([], {})).toMatchObject({
      listen: '127.0.0.1',
      marathonPort: 8080,
      mesosPort: 5050,
      kubePort: 8443,
      hostname: '127.0.0.1',
      advertiseAddress: '127.0.0.1',
      etcdEndpoints: ['http://127.0.0.1:2379'],
      leaderTtlMs: 3_000,
      agentPingTimeoutMs: 3_000,
      maxAgentPingTimeouts: 5,
      taskLaunchTimeoutMs: 300_000,
      localPortMin: 10_000,
      localPortMax: 20_000,
      logLevel: 'info',
      auth: { kind: 'loopback' },
      tls: undefined,
      kubeconfig: '/var/lib/berth/server/kubeconfig',
    });
  });

  test('reads flags with dashes, underscores and equals signs, and variables; the flag wins', () => {
    const options = parseServerOptions(['--leader_ttl=5secs', '--data-dir', '/a_b'], {
      BERTH_LEADER_TTL: '9secs',
      BERTH_OFFER_TIMEOUT: '2mins',
      BERTH_LOG_LEVEL: '',
    });
    expect(options).toMatchObject({ leaderTtlMs: 5_000, dataDir: '/a_b', offerTimeoutMs: 120_000, logLevel: 'info' });
  });

  test.each([
    ['127.8.8.8', { kind: 'loopback' }],
    ['::1', { kind: 'loopback' }],
    ['[::1]', { kind: 'loopback' }],
    ['localhost', { kind: 'loopback' }],
  ])('listening on %s needs no secret', (listen, auth) => {
    expect(parseServerOptions(['--listen', listen], {}).auth).toEqual(auth);
  });

  test.each(['0.0.0.0', '::', '10.0.0.1', 'server.example', '128.0.0.1', '127.0.0.1.example'])(
    'listening on %s needs a secret or the word that it needs none',
    (listen) => {
      expect(refusal(() => parseServerOptions(['--listen', listen], {}))).toContain(`--listen ${listen} `);
      expect(parseServerOptions(['--listen', listen, '--insecure-no-auth'], {}).auth).toEqual({ kind: 'insecure' });
      const { auth } = parseServerOptions(['--listen', listen], { BERTH_TOKEN_FILE: tokenFile });
      expect(auth).toEqual({ kind: 'token', tokenFile });
    },
  );

  test('a secret counts on loopback too', () => {
    expect(parseServerOptions(['--token-file', tokenFile], {}).auth.kind).toBe('token');
  });

  test.each<{ argv: string[]; env?: NodeJS.ProcessEnv; names: string }>([
    { argv: ['--lsten', 'x'], names: 'unknown flag --lsten; did you mean --listen?' },
    { argv: ['-x'], names: 'unknown flag -x' },
    { argv: ['--no-listen'], names: 'unknown flag --no-listen' },
    { argv: ['extra'], names: '"extra"' },
    { argv: ['--', 'extra'], names: '"extra"' },
    { argv: ['--listen'], names: '--listen needs a value' },
    { argv: ['--listen', '--insecure-no-auth'], names: '--listen needs a value' },
    { argv: ['--listen', '300.1.1.1'], names: '--listen: "300.1.1.1" must be' },
    { argv: ['--marathon-port', '70000'], names: '--marathon-port: "70000" must be' },
    { argv: ['--marathon-port', '80a'], names: '--marathon-port: "80a" must be' },
    { argv: ['--marathon-port', '1', '--marathon-port', '2'], names: '--marathon-port is given more than once' },
    { argv: ['--leader-ttl', '5 parsecs'], names: '--leader-ttl: "5 parsecs" must be' },
    { argv: ['--leader-ttl', '1secs'], names: '--leader-ttl: "1secs" must be between' },
    { argv: ['--max-agent-ping-timeouts', '0'], names: '--max-agent-ping-timeouts: "0" must be' },
    { argv: ['--insecure-no-auth=maybe'], names: '--insecure-no-auth: "maybe" must be' },
    { argv: ['--log-level', 'loud'], names: '--log-level: "loud" must be one of error, warn, info, debug' },
    { argv: ['--etcd-endpoints', 'a,,b'], names: '--etcd-endpoints: "a,,b" must be' },
    { argv: ['--etcd-endpoints', 'ftp://a'], names: '--etcd-endpoints: "ftp://a" must be' },
    { argv: ['--etcd-ca', '/nowhere'], names: '--etcd-ca: "/nowhere" must be a file that exists' },
    { argv: ['--etcd-ca', '/'], names: '--etcd-ca: "/" must be a file, not a folder' },
    { argv: ['--etcd-cert', __filename], names: '--etcd-cert and --etcd-key must be given together' },
    { argv: ['--etcd-password-file', __filename], names: '--etcd-password-file needs --etcd-user' },
    { argv: ['--tls-key', __filename], names: '--tls-cert and --tls-key must be given together' },
    { argv: ['--tls-ca', __filename], names: '--tls-ca needs --tls-cert' },
    { argv: ['--local-port-min', '30000'], names: '--local-port-min 30000 must not be above --local-port-max 20000' },
    { argv: ['--token-file', __filename, '--insecure-no-auth'], names: 'contradict' },
    { argv: [], env: { BERTH_KUBE_PORT: 'x' }, names: 'BERTH_KUBE_PORT: "x" must be a port' },
    { argv: [], env: { BERTH_INSECURE_NO_AUTH: 'yes' }, names: 'BERTH_INSECURE_NO_AUTH: "yes" must be true or false' },
  ])('refuses $argv $env in one line that names the fault', ({ argv, env, names }) => {
    const message = refusal(() => parseServerOptions(argv, env ?? {}));
    expect(message).toContain(names);
    expect(message).not.toContain('\n');
  });

  test('a line break in a value does not break the one line', () => {
    expect(refusal(() => parseServerOptions(['--log-level', 'a\nb'], {}))).not.toContain('\n');
  });
});

describe('parseAgentOptions', () => {
  test('is safe and complete without any flag', () => {
    expect(parseAgentOptions([], {})).toMatchObject({
      masters: [{ host: '127.0.0.1', port: 5050, tls: false }],
      listen: '127.0.0.1',
      port: 5051,
      hostname: '127.0.0.1',
      containerizers: ['docker'],
      dockerSocket: '/var/run/docker.sock',
      workDir: '/var/lib/berth/agent',
      gcDelayMs: 604_800_000,
      resources: undefined,
      auth: { kind: 'loopback' },
    });
  });

  test.each([
    ['a', [{ host: 'a', port: 5050, tls: false }]],
    [
      'a:1, https://b',
      [
        { host: 'a', port: 1, tls: false },
        { host: 'b', port: 5050, tls: true },
      ],
    ],
    ['[::1]:5', [{ host: '::1', port: 5, tls: false }]],
  ])('--master %s', (text, masters) => {
    expect(parseAgentOptions(['--master', text], {}).masters).toEqual(masters);
  });

  test('takes resources and attributes as Mesos writes them', () => {
    const text = 'cpus:4;mem:8192;ports(web):[8000-9000, 31000-32000];';
    const argv = ['--resources', text, '--attributes', 'rack:a;level:10', '--work_dir', '/srv/berth'];
    expect(parseAgentOptions(argv, {})).toMatchObject({
      resources: [
        { name: 'cpus', type: 'SCALAR', scalar: { value: 4 } },
        { name: 'mem', scalar: { value: 8192 } },
        {
          name: 'ports',
          role: 'web',
          ranges: {
            range: [
              { begin: 8000, end: 9000 },
              { begin: 31000, end: 32000 },
            ],
          },
        },
      ],
      attributes: [
        { name: 'rack', type: 'TEXT', text: { value: 'a' } },
        { name: 'level', type: 'SCALAR', scalar: { value: 10 } },
      ],
      workDir: '/srv/berth',
    });
  });

  test.each<[string[], string]>([
    [['--master', 'a:b'], '--master: "a:b" must be host:port'],
    [['--master', 'zk://a:2181/mesos'], '--master: "zk://a:2181/mesos" must be host:port'],
    [['--resources', 'cpus'], '--resources: "cpus" must be like'],
    [['--resources', 'cpus:-1'], '--resources: "cpus:-1" must be like'],
    [['--resources', 'cpus:many'], '--resources: "cpus:many" must be like'],
    [['--resources', 'ports:[9-8]'], "'9-8' is not a range"],
    [['--resources', ';'], 'it names nothing'],
    [['--attributes', 'rack'], '--attributes: "rack" must be like'],
    [['--containerizers', 'mesos'], '--containerizers: "mesos" must be one of docker'],
    [['--listen', '0.0.0.0'], '--listen 0.0.0.0 can be reached by others'],
    [['--port', '-1'], '--port'],
  ])('refuses %j', (argv, names) => {
    expect(refusal(() => parseAgentOptions(argv, {}))).toContain(names);
  });
});

describe('readTokenFile', () => {
  test('takes white space off', () => {
    expect(readTokenFile(tokenFile)).toBe('abcdefghijklmnopqrstuvwxyz');
  });

  test.each([
    ['short', 'needs at least 16'],
    ['has a space in the middle', 'printable ASCII'],
    ['ümlautümlautümlaut', 'printable ASCII'],
    ['', 'needs at least 16'],
  ])('refuses %j without repeating it', (token, why) => {
    const path = join(folder, 'bad');
    writeFileSync(path, token);
    const message = refusal(() => readTokenFile(path));
    expect(message).toContain(why);
    if (token !== '') expect(message).not.toContain(token);
  });

  test('names a file that is not there', () => {
    expect(refusal(() => readTokenFile(join(folder, 'none')))).toContain('cannot be read');
  });
});
