import { ETCD_FLAGS } from './etcd-flags';
import { toggle, type FlagTable } from './flag';

export const BACKUP_FLAGS = ETCD_FLAGS;

export const RESTORE_FLAGS = {
  ...ETCD_FLAGS,
  replace: toggle({ group: 'Safety', about: 'remove the records that etcd holds now, instead of refusing' }),
} as const satisfies FlagTable;
