import { createPrivateKey, X509Certificate } from 'node:crypto';
import { copyFile, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generate } from 'selfsigned';
import { parse } from 'yaml';
import { kubeconfig, writeKubeconfig } from '../../../src/api/kube/kubeconfig';
import { currentPki, ensurePki } from '../../../src/api/kube/pki';

const NOW = Date.UTC(2026, 5, 1);
const DAY = 86_400_000;
/** An authority made for this test by `openssl req -x509 -newkey ed25519`; it ends in a hundred years. */
const ED25519 = {
  nowMs: Date.UTC(2030, 0, 1),
  key: `-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIAHJLsmiyjYH+XC3U2HPbAnaOEAApp9tw8aXhQBqwkh5
-----END PRIVATE KEY-----`,
  cert: `-----BEGIN CERTIFICATE-----
MIIBNDCB56ADAgECAhQbulrbQ5J0tz0GzLPxBne5XWG0EjAFBgMrZXAwDzENMAsG
A1UEAwwET3VyczAgFw0yNjExMjExMDE1MTBaGA8yMTI2MTAyODEwMTUxMFowDzEN
MAsGA1UEAwwET3VyczAqMAUGAytlcAMhAORFrU5ivAgjS8/pLKS9l0FdblPzCmky
BaEzCuVr9jI3o1MwUTAdBgNVHQ4EFgQUKlKvslMtbg3Zbaep6WKLA+jXeBIwHwYD
VR0jBBgwFoAUKlKvslMtbg3Zbaep6WKLA+jXeBIwDwYDVR0TAQH/BAUwAwEB/zAF
BgMrZXADQQDWEHxXsrm2gD7zVbJdK/QfUdAJCvg1y2u1GXvPrPG141Tqps3BmD1J
D9eL/REzO9VYzGDacB8ypyfu1NENtesE
-----END CERTIFICATE-----`,
};
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-pki-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test('makes an authority and a server certificate of it', async () => {
  const pki = await ensurePki(folder, ['node1.example', '10.1.2.3', ''], NOW);
  const cert = new X509Certificate(pki.cert);
  const ca = new X509Certificate(pki.ca);
  expect(ca.ca).toBe(true);
  expect(cert.ca).toBe(false);
  expect(cert.verify(ca.publicKey)).toBe(true);
  for (const name of ['localhost', 'node1.example']) expect(cert.checkHost(name)).toBe(name);
  for (const address of ['127.0.0.1', '::1', '10.1.2.3']) expect(cert.checkIP(address)).toBe(address);
  expect(cert.checkHost('other.example')).toBeUndefined();
  expect((Date.parse(cert.validTo) - NOW) / DAY).toBeCloseTo(365, 0);
  expect((Date.parse(ca.validTo) - NOW) / DAY).toBeCloseTo(3650, 0);
  expect((pki.renewAtMs - NOW) / DAY).toBeCloseTo(335, 0);
});

test('every file is for its owner only, and nothing else is left', async () => {
  await ensurePki(folder, [], NOW);
  expect((await readdir(folder)).sort()).toEqual(['ca.crt', 'ca.key', 'server.crt', 'server.key']);
  for (const file of await readdir(folder)) expect((await stat(join(folder, file))).mode & 0o777).toBe(0o600);
});

test('what is good is used again', async () => {
  const first = await ensurePki(folder, ['a.example'], NOW);
  expect(await ensurePki(folder, ['a.example'], NOW + 300 * DAY)).toEqual(first);
  expect(await ensurePki(folder, [], NOW)).toEqual(first);
});

test.each<{ name: string; hosts: string[]; nowMs: number }>([
  { name: 'ends soon', hosts: [], nowMs: NOW + 340 * DAY },
  { name: 'has ended', hosts: [], nowMs: NOW + 500 * DAY },
  { name: 'lacks a host', hosts: ['new.example'], nowMs: NOW },
])('a server certificate that $name is made anew by the same authority', async ({ hosts, nowMs }) => {
  const first = await ensurePki(folder, [], NOW);
  const second = await ensurePki(folder, hosts, nowMs);
  expect(second.ca).toBe(first.ca);
  expect(second.cert).not.toBe(first.cert);
  expect(new X509Certificate(second.cert).verify(new X509Certificate(first.ca).publicKey)).toBe(true);
});

test('an authority near its end is replaced, with its server certificate', async () => {
  const first = await ensurePki(folder, [], NOW);
  const second = await ensurePki(folder, [], NOW + 3_640 * DAY);
  expect(second.ca).not.toBe(first.ca);
  expect(new X509Certificate(second.cert).verify(new X509Certificate(second.ca).publicKey)).toBe(true);
});

test.each(['server.crt', 'server.key', 'ca.crt'])('a broken %s is replaced', async (file) => {
  await ensurePki(folder, [], NOW);
  await writeFile(join(folder, file), 'broken');
  const { cert, ca, key } = await ensurePki(folder, [], NOW);
  expect(new X509Certificate(cert).verify(new X509Certificate(ca).publicKey)).toBe(true);
  expect(key).toContain('PRIVATE KEY');
});

test.each<{ name: string; kind: { keyType: 'rsa' | 'ec'; curve?: 'P-384' } }>([
  { name: 'RSA', kind: { keyType: 'rsa' } },
  { name: 'P-384', kind: { keyType: 'ec', curve: 'P-384' } },
])("signs with an operator's $name authority", async ({ kind }) => {
  const ours = await generate([{ name: 'commonName', value: 'Ours' }], {
    algorithm: 'sha256',
    notBeforeDate: new Date(NOW),
    notAfterDate: new Date(NOW + 90 * DAY),
    extensions: [{ name: 'basicConstraints', cA: true, critical: true }],
    ...kind,
  });
  await bring(ours.cert, ours.private);
  const { cert, ca, key } = await ensurePki(folder, ['a.example'], NOW);
  const certificate = new X509Certificate(cert);
  expect(ca).toBe(ours.cert);
  expect(certificate.verify(new X509Certificate(ours.cert).publicKey)).toBe(true);
  expect(certificate.checkPrivateKey(createPrivateKey(key))).toBe(true);
  expect(certificate.checkHost('a.example')).toBe('a.example');
});

test('an authority of a kind that cannot sign is named as such', async () => {
  await bring(ED25519.cert, ED25519.key);
  await expect(ensurePki(folder, [], ED25519.nowMs)).rejects.toThrow('ca.key is of type ed25519');
});

async function bring(caCert: string, caKey: string): Promise<void> {
  await writeFile(join(folder, 'ca.crt'), caCert);
  await writeFile(join(folder, 'ca.key'), caKey);
}

test("an operator's authority without its key is kept; its server certificate is never replaced", async () => {
  const first = await ensurePki(folder, [], NOW);
  await rm(join(folder, 'ca.key'));
  expect(await ensurePki(folder, ['other.example'], NOW)).toEqual(first);
  // Ours would have been replaced a month before its end; the operator's is good until then.
  expect(await ensurePki(folder, [], NOW + 360 * DAY)).toEqual(first);
  await expect(ensurePki(folder, [], NOW + 366 * DAY)).rejects.toThrow('there is no ca.key');
  expect(await readFile(join(folder, 'server.crt'), 'utf8')).toBe(first.cert);
});

describe('in a process that runs for long', () => {
  test('a certificate of our own stays until its last month, then it is made anew', async () => {
    const first = await ensurePki(folder, ['a.example'], NOW);
    expect(await currentPki(folder, ['a.example'], NOW + 300 * DAY, first)).toBe(first);
    const later = await currentPki(folder, ['a.example'], NOW + 336 * DAY, first);
    expect(later.ca).toBe(first.ca);
    expect(later.cert).not.toBe(first.cert);
    expect(later.renewAtMs).toBeGreaterThan(NOW + 600 * DAY);
    expect(await readFile(join(folder, 'server.crt'), 'utf8')).toBe(later.cert);
  });

  test('what somebody put there is taken once it is a pair; nothing is written meanwhile', async () => {
    const first = await ensurePki(folder, [], NOW);
    const other = join(folder, 'other');
    const second = await ensurePki(other, [], NOW);
    for (const file of ['ca.crt', 'ca.key', 'server.crt']) {
      await copyFile(join(other, file), join(folder, file));
      expect(await currentPki(folder, [], NOW, first)).toBe(first);
      expect(await readFile(join(folder, file), 'utf8')).toBe(await readFile(join(other, file), 'utf8'));
    }
    await copyFile(join(other, 'server.key'), join(folder, 'server.key'));
    expect(await currentPki(folder, [], NOW, first)).toEqual(second);
  });

  test('files that are gone change nothing before the last month', async () => {
    const first = await ensurePki(folder, [], NOW);
    for (const file of await readdir(folder)) await rm(join(folder, file));
    expect(await currentPki(folder, [], NOW, first)).toBe(first);
    expect(await readdir(folder)).toEqual([]);
  });
});

test('a directory that cannot be made is named', async () => {
  await writeFile(join(folder, 'file'), '');
  await expect(ensurePki(join(folder, 'file', 'pki'), [], NOW)).rejects.toThrow(join(folder, 'file', 'pki'));
});

describe('kubeconfig', () => {
  test('has one context with the authority and the token', () => {
    const config: unknown = parse(kubeconfig({ server: 'https://127.0.0.1:8443', ca: 'PEM', token: 'secret: "x"' }));
    expect(config).toMatchObject({
      clusters: [{ cluster: { server: 'https://127.0.0.1:8443', 'certificate-authority-data': 'UEVN' } }],
      users: [{ user: { token: 'secret: "x"' } }],
      'current-context': 'berth',
    });
  });

  test('is for its owner only, also over a file that was not', async () => {
    const path = join(folder, 'sub', 'kubeconfig');
    await writeKubeconfig(path, { server: 'https://a', ca: 'PEM' });
    await writeKubeconfig(path, { server: 'https://b', ca: 'PEM' });
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readFile(path, 'utf8')).toContain('https://b');
  });
});
