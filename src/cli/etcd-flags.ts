import { optional, withDefault, type FlagTable, type ValuesOf } from './flag';
import { UsageError } from './usage-error';
import { etcdEndpoint, existingFile, listOf, text } from './values';

/** How etcd is reached: the same for servers and for the commands that work on etcd itself. */
export const ETCD_FLAGS = {
  etcdEndpoints: withDefault(
    { group: 'etcd', value: 'URL[,URL…]', about: 'members of the etcd cluster' },
    listOf(etcdEndpoint),
    'http://127.0.0.1:2379',
  ),
  etcdCa: optional({ group: 'etcd', value: 'FILE', about: 'CA certificate (PEM) of etcd' }, existingFile),
  etcdCert: optional({ group: 'etcd', value: 'FILE', about: 'client certificate (PEM) for etcd' }, existingFile),
  etcdKey: optional({ group: 'etcd', value: 'FILE', about: 'key (PEM) of --etcd-cert' }, existingFile),
  etcdUser: optional({ group: 'etcd', value: 'NAME', about: 'etcd user' }, text),
  etcdPasswordFile: optional(
    { group: 'etcd', value: 'FILE', about: 'file that holds the password of --etcd-user' },
    existingFile,
  ),
} as const satisfies FlagTable;

export type EtcdAccess = ValuesOf<typeof ETCD_FLAGS>;

/** Throws UsageError when flags that belong together are not given together. */
export function checkEtcdFlags(values: Omit<EtcdAccess, 'etcdEndpoints' | 'etcdCa'>): void {
  if ((values.etcdCert === undefined) !== (values.etcdKey === undefined))
    throw new UsageError('--etcd-cert and --etcd-key must be given together');
  if (values.etcdPasswordFile !== undefined && values.etcdUser === undefined)
    throw new UsageError('--etcd-password-file needs --etcd-user');
}
