import { generate } from 'selfsigned';
import { listen } from '../../src/api/http/listen';
import { judgeVersion } from '../../src/compose/doctor/doctor';
import { judgeEngine } from '../../src/compose/doctor/docker';
import { judgeEtcd, type MemberLook } from '../../src/compose/doctor/etcd';
import type { Finding } from '../../src/compose/doctor/finding';
import {
  judgeClock,
  judgeNode,
  judgePort,
  judgeSpace,
  lookAtPort,
  type PortLook,
} from '../../src/compose/doctor/machine';
import type { EngineFacts } from '../../src/io/docker/engine';
import type { EtcdStatus } from '../../src/io/etcd/maintenance';

const GIB = 1024 ** 3;

const ENGINE: EngineFacts = {
  version: '24.0.7',
  apiVersion: '1.43',
  liveRestore: true,
  loggingDriver: 'json-file',
  cgroupDriver: 'systemd',
  cgroupVersion: '2',
  storageDriver: 'overlay2',
  rootDir: '/var/lib/docker',
  warnings: ['WARNING: bridge-nf-call-iptables is disabled'],
  systemTime: '2026-01-01T00:00:00Z',
};

const ETCD: EtcdStatus = {
  version: '3.5.9',
  databaseBytes: 20_000_000,
  databaseUsedBytes: 10_000_000,
  revision: 7,
  hasLeader: true,
  alarms: [],
};

function levels(findings: readonly Finding[]): string[] {
  return findings.filter(({ level }) => level !== 'ok').map(({ level, check }) => `${level} ${check}`);
}

/** Whatever is not well must come with advice. */
function expectAdvice(findings: readonly Finding[]): void {
  for (const { level, fix } of findings) expect(fix === undefined).toBe(level === 'ok');
}

describe('Docker', () => {
  test.each<[string, Partial<EngineFacts>, string[]]>([
    ['all is well', {}, []],
    ['too old', { version: '19.03.9' }, ['fail docker']],
    ['the oldest that will do', { version: '20.10.0' }, []],
    ['without live-restore', { liveRestore: false }, ['warn live-restore']],
    ['without limits', { warnings: ['WARNING: No swap limit support'] }, ['warn cgroups']],
    ['with vfs', { storageDriver: 'vfs' }, ['warn docker storage']],
  ])('%s', (_what, change, expected) => {
    const findings = judgeEngine({ ...ENGINE, ...change });
    expect(levels(findings)).toEqual(expected);
    expectAdvice(findings);
  });
});

describe('etcd', () => {
  const member = (endpoint: string, change: Partial<EtcdStatus> = {}, readMs = 2): MemberLook => ({
    endpoint,
    status: { ...ETCD, ...change },
    readMs,
  });
  const dead = (endpoint: string): MemberLook => ({ endpoint, error: 'connection refused' });
  test.each<[string, readonly MemberLook[], string[]]>([
    ['one member, well', [member('a')], []],
    ['three members, well', [member('a'), member('b'), member('c')], []],
    ['an even number', [member('a'), member('b')], ['warn etcd']],
    ['one of three is dead', [member('a'), member('b'), dead('c')], ['fail etcd c', 'warn etcd']],
    ['the only one is dead', [dead('a')], ['fail etcd a']],
    ['no quorum', [member('a', { hasLeader: false })], ['fail etcd a']],
    ['full', [member('a', { alarms: ['NOSPACE'] })], ['fail etcd a']],
    ['nearly full', [member('a', { databaseBytes: 1.8 * GIB })], ['warn etcd a']],
    ['slow', [member('a', {}, 400)], ['warn etcd a']],
    ['3.4', [member('a', { version: '3.4.23' })], ['warn etcd a']],
    ['3.3', [member('a', { version: '3.3.25' })], ['fail etcd a']],
  ])('%s', (_what, looks, expected) => {
    const findings = judgeEtcd(looks);
    expect(levels(findings)).toEqual(expected);
    expectAdvice(findings);
  });
});

describe('the machine', () => {
  test.each<[string, Finding, Finding['level']]>([
    ['node, new', judgeNode('v22.1.0'), 'ok'],
    ['node, just enough', judgeNode('v20.19.0'), 'ok'],
    ['node, old', judgeNode('v18.20.1'), 'fail'],
    ['space, plenty', judgeSpace({ path: '/', freeBytes: 50 * GIB, totalBytes: 100 * GIB }), 'ok'],
    ['space, little of a big disk', judgeSpace({ path: '/', freeBytes: 9 * GIB, totalBytes: 100 * GIB }), 'warn'],
    ['space, next to none', judgeSpace({ path: '/', freeBytes: GIB / 2, totalBytes: 2 * GIB }), 'fail'],
    ['clock, kept', judgeClock(true, 100), 'ok'],
    ['clock, nobody knows', judgeClock(undefined, undefined), 'ok'],
    ['clock, not kept', judgeClock(false, undefined), 'warn'],
    ['clock, kept and yet wrong', judgeClock(true, -3_600_000), 'fail'],
    ['versions, equal', judgeVersion('1.4.0', '1.4.2'), 'ok'],
    ['versions, server newer', judgeVersion('1.3.9', '1.4.0'), 'ok'],
    ['versions, server older', judgeVersion('1.5.0', '1.4.0'), 'warn'],
    ['versions, two apart', judgeVersion('1.2.0', '1.4.0'), 'fail'],
    ['versions, another major', judgeVersion('1.4.0', '2.0.0'), 'fail'],
  ])('%s', (_what, finding, level) => {
    expect(finding.level).toBe(level);
    expectAdvice([finding]);
  });

  test.each<[PortLook['state'], Finding['level']]>([
    ['free', 'ok'],
    ['berth', 'ok'],
    ['stranger', 'fail'],
    ['forbidden', 'fail'],
  ])('a port that is %s', (state, level) => {
    const finding = judgePort({ name: 'the agent', port: 5051, flag: '--port', state });
    expect(finding.level).toBe(level);
    expectAdvice([finding]);
  });

  test.each(['http', 'https'])('Berth is known by its answer over %s', async (scheme) => {
    const pems = scheme === 'https' ? await generate([{ name: 'commonName', value: 'localhost' }]) : undefined;
    const tls = pems === undefined ? {} : { tls: { key: pems.private, cert: pems.cert } };
    const health = await listen((_request, response) => response.end('ok\n'), { host: '127.0.0.1', port: 0, ...tls });
    try {
      expect(await lookAtPort('the Mesos API', health.port, '--mesos-port')).toMatchObject({ state: 'berth' });
    } finally {
      await health.close(0);
    }
  });
});
