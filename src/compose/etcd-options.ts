import { readFileSync } from 'node:fs';
import type { EtcdAccess } from '../cli/etcd-flags';
import type { EtcdConnectionOptions } from '../io/etcd/connection';

/** What the flags say of etcd, with the files read. Throws what reading a file throws. */
export function etcdOptions(options: EtcdAccess): EtcdConnectionOptions {
  const { etcdEndpoints, etcdCa, etcdCert, etcdKey, etcdUser, etcdPasswordFile } = options;
  const pem = (name: 'ca' | 'cert' | 'key', file: string | undefined) =>
    file === undefined ? {} : { [name]: readFileSync(file) };
  const tls = { ...pem('ca', etcdCa), ...pem('cert', etcdCert), ...pem('key', etcdKey) };
  return {
    endpoints: etcdEndpoints,
    ...(Object.keys(tls).length === 0 ? {} : { tls }),
    ...(etcdUser === undefined ? {} : { login: { username: etcdUser, password: passwordIn(etcdPasswordFile) } }),
  };
}

function passwordIn(file: string | undefined): string {
  return file === undefined ? '' : readFileSync(file, 'utf8').trim();
}
