import { quietly } from '../support/leftovers';
import type { TestbedOptions } from './testbed';

const ALWAYS: Readonly<Record<string, string>> = {
  ip: 'iproute2',
  nsenter: 'util-linux',
  iptables: 'iptables',
  etcd: 'etcd-server',
  etcdctl: 'etcd-client',
  dockerd: 'docker.io',
  containerd: 'containerd',
  busybox: 'busybox-static',
};
const FOR_REGISTRY = { 'docker-registry': 'docker-registry', htpasswd: 'apache2-utils' };
const FOR_CLOCKS = { faketime: 'faketime' };

/** Throws an error that says what is missing and how to install it. */
export function requirePrograms(options: TestbedOptions): void {
  if (process.getuid?.() !== 0) throw new Error('the test bed needs root');
  const wanted = {
    ...ALWAYS,
    ...(options.registry === false ? {} : FOR_REGISTRY),
    ...(options.faketime === true ? FOR_CLOCKS : {}),
  };
  const missing = Object.entries(wanted).filter(([program]) => !quietly('sh', ['-c', `command -v ${program}`]));
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map(([, name]) => name))].join(' ');
  throw new Error(`missing ${missing.map(([program]) => program).join(', ')}: apt-get install -y ${packages}`);
}
