import { statusSchema, type ClusterStatus } from './cluster-answers';
import type { ClusterClient } from './cluster-client';
import { table, type Terminal } from './terminal';

const AUTH_TEXT: Readonly<Record<ClusterStatus['auth'], string>> = {
  'none-loopback': 'none needed: reachable from this machine only',
  token: 'token',
  insecure: 'NONE: anybody who can reach the ports can do anything (--insecure-no-auth)',
};

/** `berth status`: servers, agents and apps as tables, or as JSON. Throws ClusterError. */
export async function status(cluster: ClusterClient, json: boolean, terminal: Terminal): Promise<void> {
  const answer = await cluster.get('/v1/status', statusSchema);
  terminal.out(json ? `${JSON.stringify(answer, null, 2)}\n` : describe(cluster.url, answer));
}

function describe(url: string, answer: ClusterStatus): string {
  const { leader, etcd, agents, apps, orphanedTasks } = answer;
  const head = [
    ['server', `${url}, version ${answer.version}`],
    [
      'leader',
      leader === null || leader === undefined ? 'NONE: nothing is placed until one is elected' : leaderText(leader),
    ],
    ['etcd', etcdText(etcd)],
    ['access', AUTH_TEXT[answer.auth]],
  ];
  const agentRows = agents.map(({ id, hostname, port, state, resources }) => [
    hostname,
    state,
    String(resources.cpus ?? '-'),
    String(resources.mem ?? '-'),
    String(port),
    id,
  ]);
  const appRows = apps.map((app) => [
    app.id,
    String(app.instances),
    String(app.running),
    String(app.healthy),
    String(app.unhealthy),
    app.message ?? '',
  ]);
  const orphanRows = orphanedTasks.map(({ id, hostname, missing }) => [id, hostname, `no record of ${missing}`]);
  return [
    table(head),
    agents.length === 0 ? 'no agents\n' : table([['AGENT', 'STATE', 'CPUS', 'MEM', 'PORT', 'ID'], ...agentRows]),
    apps.length === 0 ? 'no apps\n' : table([['APP', 'INSTANCES', 'RUNNING', 'HEALTHY', 'UNHEALTHY', ''], ...appRows]),
    ...(orphanRows.length === 0 ? [] : [table([['TASK WITHOUT OWNER', 'AGENT', 'IT IS LEFT ALONE'], ...orphanRows])]),
  ].join('\n');
}

function etcdText({ healthy, message }: ClusterStatus['etcd']): string {
  if (!healthy) return `NOT HEALTHY${message === undefined ? '' : `: ${message}`}`;
  return message === undefined || message === 'answers' ? 'healthy' : message;
}

function leaderText(leader: NonNullable<ClusterStatus['leader']>): string {
  return leader.marathonAddress === undefined ? leader.hostname : `${leader.hostname} (${leader.marathonAddress})`;
}
