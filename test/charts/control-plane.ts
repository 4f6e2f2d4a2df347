import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEtcd, type RealEtcd } from '../support/etcd';
import { freePorts, startProcess, type RunningProcess } from '../support/process';
import { waitFor } from '../support/wait';
import { toolPath } from './helm';

/** A real kube-apiserver and kube-controller-manager on a real etcd. No node, no kubelet: pods are made and admitted, never run. */
export interface ControlPlane {
  /** Path of a kubeconfig of an administrator. */
  readonly kubeconfig: string;
  stop(): Promise<void>;
}

export async function startControlPlane(): Promise<ControlPlane> {
  const folder = mkdtempSync(join(tmpdir(), 'berth-kube-'));
  const processes: RunningProcess[] = [];
  let etcd: RealEtcd | undefined;
  const stop = async () => {
    for (const one of [...processes].reverse()) await one.kill('SIGKILL');
    await etcd?.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    etcd = await startEtcd();
    const [port = 0, managerPort = 0] = await freePorts(2);
    const kubeconfig = writeKubeconfig(folder, port);
    processes.push(startProcess(apiServer(folder, etcd.endpoint, port), join(folder, 'apiserver.log')));
    await waitFor('kube-apiserver', () => isReady(port), 90_000, 200);
    processes.push(startProcess(manager(folder, kubeconfig, managerPort), join(folder, 'manager.log')));
    return { kubeconfig, stop };
  } catch (error) {
    const words = processes.map((one) => one.log().slice(-3_000)).join('\n---\n');
    await stop();
    throw new Error(`the control plane of Kubernetes did not start: ${String(error)}\n${words}`, { cause: error });
  }
}

function apiServer(folder: string, etcd: string, port: number): string[] {
  const key = join(folder, 'accounts.key');
  execFileSync('openssl', ['genrsa', '-out', key, '2048'], { stdio: 'ignore', timeout: 30_000 });
  writeFileSync(join(folder, 'tokens.csv'), 'test-administrator,admin,admin,system:masters\n');
  return [
    toolPath('kube-apiserver') ?? 'kube-apiserver',
    `--etcd-servers=${etcd}`,
    '--bind-address=127.0.0.1',
    '--advertise-address=127.0.0.1',
    '--endpoint-reconciler-type=none',
    `--secure-port=${port}`,
    `--cert-dir=${join(folder, 'certificates')}`,
    `--token-auth-file=${join(folder, 'tokens.csv')}`,
    '--authorization-mode=RBAC',
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${key}`,
    `--service-account-signing-key-file=${key}`,
    '--service-cluster-ip-range=10.96.0.0/16,fd00:96::/112',
    '--allow-privileged=true',
  ];
}

function manager(folder: string, kubeconfig: string, port: number): string[] {
  return [
    toolPath('kube-controller-manager') ?? 'kube-controller-manager',
    `--kubeconfig=${kubeconfig}`,
    '--leader-elect=false',
    '--bind-address=127.0.0.1',
    `--secure-port=${port}`,
    `--cert-dir=${join(folder, 'manager')}`,
  ];
}

function writeKubeconfig(folder: string, port: number): string {
  const path = join(folder, 'kubeconfig');
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster: { server: `https://127.0.0.1:${port}`, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'admin', user: { token: 'test-administrator' } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'admin' } }],
    'current-context': 'test',
  };
  writeFileSync(path, JSON.stringify(config));
  return path;
}

function isReady(port: number): Promise<boolean> {
  const headers = { authorization: 'Bearer test-administrator' };
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path: '/readyz', headers, rejectUnauthorized: false, timeout: 5_000 };
    const asked = request(options, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    asked.on('error', reject).on('timeout', () => asked.destroy(new Error('no answer')));
    asked.end();
  });
}
