import { ClusterClient } from '../../cli/cluster-client';
import { statusSchema } from '../../cli/cluster-answers';
import type { DoctorOptions } from '../../cli/options';
import { packageVersion } from '../../cli/package-root';
import { table, type Terminal } from '../../cli/terminal';
import { readTokenFile } from '../../cli/token';
import { StepFailure } from '../../cli/up/failure';
import { messageOf } from '../../core/errors';
import { lookAtDocker } from './docker';
import { lookAtEtcd } from './etcd';
import { fail, ok, warn, type Finding } from './finding';
import {
  clockIsKept,
  freeSpaceAt,
  judgeClock,
  judgeNode,
  judgePort,
  judgeSpace,
  lookAtCgroups,
  lookAtPort,
} from './machine';

const MARKS: Readonly<Record<Finding['level'], string>> = { ok: 'ok', warn: 'WARN', fail: 'FAIL' };

/** `berth doctor`: changes nothing. Throws StepFailure when a check fails. */
export async function runDoctor(options: DoctorOptions, terminal: Terminal): Promise<void> {
  const findings = await examine(options);
  terminal.out(options.json ? `${JSON.stringify(findings, null, 2)}\n` : describe(findings));
  const failed = findings.filter(({ level }) => level === 'fail').length;
  if (failed > 0) throw new StepFailure('doctor', `${failed} of ${findings.length} checks failed`);
}

async function examine(options: DoctorOptions): Promise<Finding[]> {
  const { role } = options;
  const [server, agent] = [role !== 'agent', role !== 'server'];
  const cluster = options.url === undefined ? undefined : await lookAtCluster(options.url, options.tokenFile);
  const engine = agent ? await lookAtDocker(options.dockerSocket) : undefined;
  const folders = [
    ...(server ? [options.dataDir] : []),
    ...(agent ? [options.workDir] : []),
    ...(engine?.rootDir === undefined ? [] : [engine.rootDir]),
  ];
  return [
    judgeNode(process.version),
    judgeClock(await clockIsKept(), cluster?.skewMs),
    ...(cluster?.findings ?? []),
    ...(agent ? [lookAtCgroups()] : []),
    ...(engine?.findings ?? []),
    ...(server ? await lookAtEtcd(options) : []),
    ...(await lookAtPorts(options, server, agent)),
    ...folders.map((folder) => judgeSpace(freeSpaceAt(folder))),
  ];
}

async function lookAtPorts(options: DoctorOptions, server: boolean, agent: boolean): Promise<Finding[]> {
  const looks = [
    ...(server
      ? [
          lookAtPort('the Marathon API', options.marathonPort, '--marathon-port'),
          lookAtPort('the Mesos API', options.mesosPort, '--mesos-port'),
          lookAtPort('the Kubernetes API', options.kubePort, '--kube-port'),
        ]
      : []),
    ...(agent ? [lookAtPort('the agent', options.port, '--port')] : []),
  ];
  return (await Promise.all(looks)).map(judgePort);
}

interface ClusterLook {
  readonly findings: readonly Finding[];
  /** This machine's clock less the server's, milliseconds. */
  readonly skewMs?: number;
}

/** The server that was named: does it answer, does it lead or know who does, is it of our version, what is its time. */
async function lookAtCluster(url: string, tokenFile: string | undefined): Promise<ClusterLook> {
  const check = `server ${url}`;
  try {
    const client = tokenFile === undefined ? new ClusterClient(url) : new ClusterClient(url, readTokenFile(tokenFile));
    const status = await client.get('/v1/status', statusSchema);
    const skewMs = await skewAgainst(url);
    const leader =
      status.leader === null || status.leader === undefined
        ? fail(check, 'nobody leads: nothing is placed', 'look at etcd, and at the logs of the servers')
        : ok(check, `${status.agents.length} agents, ${status.apps.length} apps, led by ${status.leader.hostname}`);
    return {
      findings: [leader, judgeVersion(packageVersion(), status.version)],
      ...(skewMs === undefined ? {} : { skewMs }),
    };
  } catch (error) {
    const fix = 'start the server, or correct --url and --token-file';
    return { findings: [fail(check, messageOf(error), fix)] };
  }
}

/** Version skew: servers first, then agents; one minor version apart at most. */
export function judgeVersion(own: string, server: string): Finding {
  const [ownMajor = 0, ownMinor = 0] = own.split('.').map(Number);
  const [major = 0, minor = 0] = server.split('.').map(Number);
  const what = `this program ${own}, server ${server}`;
  if (ownMajor !== major || Math.abs(ownMinor - minor) > 1)
    return fail(
      'versions',
      `${what}: more than one minor version apart`,
      'upgrade in steps of one minor version: servers first, then agents',
    );
  if (ownMinor > minor) return warn('versions', `${what}: newer than the server`, 'upgrade the servers first');
  return ok('versions', what);
}

async function skewAgainst(url: string): Promise<number | undefined> {
  const beforeMs = Date.now();
  const answer = await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(3_000) });
  await answer.arrayBuffer();
  const theirs = Date.parse(answer.headers.get('date') ?? '');
  // The header has whole seconds: half of one is its error, and the answer took half of the way.
  return Number.isNaN(theirs) ? undefined : (beforeMs + Date.now()) / 2 - (theirs + 500);
}

function describe(findings: readonly Finding[]): string {
  const rows = findings.map(({ check, level, what }) => [MARKS[level], check, what]);
  const fixes = findings.flatMap(({ check, level, what, fix }) =>
    fix === undefined ? [] : [`${MARKS[level]} ${check}: ${what}\n  fix: ${fix}\n`],
  );
  return [table(rows), ...fixes].join('\n');
}
