import { ETCD_FLAGS } from './etcd-flags';
import { AGENT_FLAGS } from './agent-flags';
import { CLIENT_FLAGS } from './client-flags';
import { toggle, withDefault, type FlagTable } from './flag';
import { SERVER_FLAGS } from './server-flags';
import { oneOf } from './values';

const ROLES = ['all', 'server', 'agent'] as const;

export const DOCTOR_FLAGS = {
  role: withDefault(
    { group: 'What to look at', value: 'ROLE', about: `what runs or will run on this machine: ${ROLES.join(', ')}` },
    oneOf(ROLES),
    'all',
  ),
  ...ETCD_FLAGS,
  url: CLIENT_FLAGS.url,
  tokenFile: CLIENT_FLAGS.tokenFile,
  dockerSocket: AGENT_FLAGS.dockerSocket,
  marathonPort: SERVER_FLAGS.marathonPort,
  mesosPort: SERVER_FLAGS.mesosPort,
  kubePort: SERVER_FLAGS.kubePort,
  port: AGENT_FLAGS.port,
  dataDir: SERVER_FLAGS.dataDir,
  workDir: AGENT_FLAGS.workDir,
  json: toggle({ group: 'Output', about: 'print JSON, for programs' }),
} as const satisfies FlagTable;
