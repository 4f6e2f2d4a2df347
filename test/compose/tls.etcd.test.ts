import { X509Certificate } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { ensurePki } from '../../src/api/kube/pki';
import { startEtcd, type RealEtcd } from '../support/etcd';
import { freePorts, startProcess, type RunningProcess } from '../support/process';
import { shownAt } from '../support/tls';
import { waitFor } from '../support/wait';

const MAIN = resolve(process.cwd(), 'dist/main.js');

interface Server {
  readonly process: RunningProcess;
  readonly marathon: number;
  readonly kube: number;
  readonly pki: string;
}

/** Two servers whose ports show certificates of one private authority. */
describe('TLS', () => {
  let folder: string;
  let etcd: RealEtcd;
  let ca: string;
  const servers: Server[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'berth-tls-'));
    ({ ca } = await ensurePki(join(folder, 'authority'), [], Date.now()));
    etcd = await startEtcd();
    servers.push(await start('a'), await start('b'));
    for (const { marathon, process } of servers)
      await waitFor(
        `a server to be ready: ${process.log().slice(-500)}`,
        async () => (await ask(marathon, 'GET', '/readyz')).status === 200,
      );
  });
  afterAll(async () => {
    for (const { process } of servers) await process.kill('SIGTERM');
    await etcd?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  async function start(name: string): Promise<Server> {
    const [marathon = 0, mesos = 0, kube = 0] = await freePorts(3);
    const data = join(folder, name);
    const pki = join(data, 'pki');
    mkdirSync(pki, { recursive: true });
    for (const file of ['ca.crt', 'ca.key']) copyFileSync(join(folder, 'authority', file), join(pki, file));
    await ensurePki(pki, [], Date.now());
    const command = [process.execPath, MAIN, 'server', `--etcd-endpoints=${etcd.endpoint}`, `--data-dir=${data}`];
    command.push(`--marathon-port=${marathon}`, `--mesos-port=${mesos}`, `--kube-port=${kube}`);
    command.push(`--tls-cert=${join(pki, 'server.crt')}`, `--tls-key=${join(pki, 'server.key')}`);
    return { process: startProcess(command, join(folder, `${name}.log`)), marathon, kube, pki };
  }

  function ask(port: number, method: string, path: string): Promise<{ status: number; body: string }> {
    return new Promise((resolve, reject) => {
      const asked = request({ host: '127.0.0.1', port, method, path, ca, timeout: 10_000 }, (response) => {
        let body = '';
        response.on('data', (chunk) => (body += String(chunk)));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
      });
      asked
        .on('error', reject)
        .on('timeout', () => asked.destroy(new Error('no answer')))
        .end();
    });
  }

  const leader = async () =>
    (JSON.parse((await ask(servers[0]?.marathon ?? 0, 'GET', '/v2/leader')).body) as { leader: string }).leader;

  test('a standby passes a request on to a leader whose certificate is of the authority they share', async () => {
    const led = await leader();
    const standby = servers.find(({ marathon }) => led !== `127.0.0.1:${marathon}`);
    const answer = await ask(standby?.marathon ?? 0, 'DELETE', '/v2/leader');
    expect(answer).toEqual({ status: 200, body: JSON.stringify({ message: 'Leadership abdicated' }) });
    await waitFor('another leader', async () => (await leader().catch(() => led)) !== led);
  });

  test('a renewed certificate is shown by all ports without a restart', async () => {
    const [server] = servers;
    if (server === undefined) throw new Error('no server');
    const renewed = await ensurePki(join(folder, 'authority'), ['renewed.example'], Date.now());
    const { fingerprint256 } = new X509Certificate(renewed.cert);
    expect(await shownAt(server.marathon)).not.toBe(fingerprint256);
    for (const file of ['server.crt', 'server.key'])
      copyFileSync(join(folder, 'authority', file), join(server.pki, file));
    for (const port of [server.marathon, server.kube])
      await waitFor('the new certificate', async () => (await shownAt(port)) === fingerprint256);
    expect((await ask(server.marathon, 'GET', '/healthz')).status).toBe(200);
    expect(server.process.exited()).toBe(false);
  });
});
