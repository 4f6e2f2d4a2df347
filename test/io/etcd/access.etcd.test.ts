import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UnavailableError } from '../../../src/core/errors';
import { EtcdConnection, type EtcdConnectionOptions } from '../../../src/io/etcd/connection';
import { EtcdMaintenance } from '../../../src/io/etcd/maintenance';
import { startEtcd, until } from '../../support/etcd';
import { seededRandom } from '../../support/fakes';
import { Closing } from './world';

jest.setTimeout(60_000);
const closing = new Closing();
afterEach(() => closing.all());

function run(program: string, ...args: string[]): void {
  const done = spawnSync(program, args, {
    encoding: 'utf8',
    timeout: 20_000,
    env: { ...process.env, ETCDCTL_API: '3' },
  });
  if (done.status !== 0) throw new Error(`${program} ${args.join(' ')}: ${done.error?.message ?? done.stderr}`);
}

describe('TLS', () => {
  let folder: string;
  const file = (name: string) => join(folder, name);
  const issue = (name: string, extensions: string) => {
    run(
      'openssl',
      'req',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-keyout',
      file(`${name}.key`),
      '-out',
      file(`${name}.csr`),
      '-subj',
      `/CN=${name}`,
    );
    run(
      'bash',
      '-c',
      `openssl x509 -req -in ${file(`${name}.csr`)} -CA ${file('ca.crt')} -CAkey ${file('ca.key')} -CAcreateserial -days 2 -out ${file(`${name}.crt`)} -extfile <(printf '${extensions}')`,
    );
  };
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'berth-tls-'));
    run(
      'openssl',
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-days',
      '2',
      '-keyout',
      file('ca.key'),
      '-out',
      file('ca.crt'),
      '-subj',
      '/CN=ca',
    );
    issue('server', 'subjectAltName=IP:127.0.0.1\\nextendedKeyUsage=serverAuth,clientAuth');
    issue('client', 'extendedKeyUsage=clientAuth');
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('connects with a client certificate, and says why it cannot without', async () => {
    const etcd = await startEtcd({
      scheme: 'https',
      args: [
        ...['--cert-file', file('server.crt'), '--key-file', file('server.key')],
        ...['--client-cert-auth', '--trusted-ca-file', file('ca.crt')],
      ],
    });
    closing.add(() => etcd.stop());
    const [ca, cert, key] = ['ca.crt', 'client.crt', 'client.key'].map((name) => readFileSync(file(name)));
    if (ca === undefined || cert === undefined || key === undefined) throw new Error('no certificates');
    const good = closing.store([etcd.endpoint], { tls: { ca, cert, key } }).store;
    await good.commit([{ kind: 'put', key: '/t/a', value: 'x' }]);
    expect((await good.get('/t/a'))?.value).toBe('x');
    for (const tls of [{ ca }, { cert, key }]) {
      const bad = closing.store([etcd.endpoint], { tls, callMs: 2_000 }).store;
      await expect(bad.get('/t/a')).rejects.toBeInstanceOf(UnavailableError);
    }
  });
});

describe('user and password', () => {
  it('logs in, logs in again after etcd forgot the token, and says when they are wrong', async () => {
    const etcd = await startEtcd({ args: ['--auth-token', 'simple', '--auth-token-ttl', '1'] });
    closing.add(() => etcd.stop());
    const ctl = (...args: string[]) => run('etcdctl', '--endpoints', etcd.endpoint, ...args);
    ctl('user', 'add', 'root:geheim');
    ctl('auth', 'enable');
    const login = { username: 'root', password: 'geheim' };
    const { store, connection } = closing.store([etcd.endpoint], { login });
    const start = await store.commit([{ kind: 'put', key: '/t/a', value: 'x' }]);
    await etcd.kill('SIGKILL');
    await etcd.restart(); // tokens are in memory
    await until(async () => (await store.get('/t/a').catch(() => undefined)) !== undefined, 'it logs in again');

    const controller = new AbortController();
    const watch = store.watch('/t/', start, controller.signal)[Symbol.asyncIterator]();
    const next = watch.next();
    await store.commit([{ kind: 'put', key: '/t/b', value: 'y' }]);
    expect((await next).value).toMatchObject({ changes: [{ kind: 'put', entry: { key: '/t/b' } }] });
    controller.abort();
    await watch.return?.();
    expect((await new EtcdMaintenance(connection).status()).version).toMatch(/^3\./);

    const wrong = closing.store([etcd.endpoint], { login: { username: 'root', password: 'wrong' } }).store;
    await expect(wrong.get('/t/a')).rejects.toThrow(/refuses our login.*authentication failed/);
    const none = closing.store([etcd.endpoint]).store;
    await expect(none.get('/t/a')).rejects.toThrow(/refuses our login.*user name is empty/);
    await expect(none.commit([{ kind: 'delete', key: '/t/a' }])).rejects.toThrow(/refuses our login/);
  });
});

describe('options', () => {
  const pem = Buffer.from('x');
  test.each<{ name: string; options: EtcdConnectionOptions; problem: RegExp }>([
    { name: 'no endpoint', options: { endpoints: [] }, problem: /no etcd endpoint/ },
    { name: 'http and https', options: { endpoints: ['http://a:1', 'https://b:1'] }, problem: /all http or all https/ },
    { name: 'certificates over http', options: { endpoints: ['http://a:1'], tls: { ca: pem } }, problem: /not https/ },
    { name: 'a certificate without key', options: { endpoints: ['https://a:1'], tls: { cert: pem } }, problem: /both/ },
    {
      name: 'no user',
      options: { endpoints: ['http://a:1'], login: { username: '', password: 'x' } },
      problem: /user name/,
    },
    { name: 'not an endpoint', options: { endpoints: ['a b'] }, problem: /'a b' is no etcd endpoint/ },
    { name: 'a path', options: { endpoints: ['http://a:1/etcd'] }, problem: /is no etcd endpoint/ },
  ])('refuses $name', ({ options, problem }) => {
    expect(() => new EtcdConnection(options, seededRandom(1))).toThrow(problem);
  });

  it('takes endpoints as people write them', () => {
    const endpoints = ['127.0.0.1:2379', 'http://etcd.example:2379/', 'http://[::1]:2379'];
    const connection = new EtcdConnection({ endpoints }, seededRandom(1));
    expect(connection.endpoints).toEqual(endpoints);
    connection.close();
  });
});
