import { join } from 'node:path';
import { packageRoot } from '../package-root';
import type { ClusterFolder, ClusterPorts, ClusterState } from './cluster-state';
import { requireExecutable } from './executables';
import { StepFailure } from './failure';
import { isPortFree, listenerOf } from './process-table';

/** Milliseconds until one question whether a process is ready is given up. */
const LOOK_MS = 2_000;
const HOST = '127.0.0.1';

/** What a step says when it is done. */
export interface Said {
  readonly said: string;
}

export interface StartContext {
  readonly folder: ClusterFolder;
  readonly state: ClusterState;
  readonly timeoutMs: number;
  readonly env: NodeJS.ProcessEnv;
}

/** etcd with one member on loopback. Safe to call when it runs already. Throws StepFailure. */
export async function ensureEtcd({ folder, state, timeoutMs, env }: StartContext): Promise<Said> {
  const daemon = folder.daemon('etcd');
  const client = `http://${HOST}:${state.ports.etcd}`;
  const peer = `http://${HOST}:${state.ports.etcdPeer}`;
  const running = daemon.running();
  if (running === undefined) {
    const etcd = requireExecutable('etcd', 'etcd', 'etcd-server', env);
    const listen = ['--listen-client-urls', client, '--advertise-client-urls', client, '--listen-peer-urls', peer];
    const cluster = ['--initial-advertise-peer-urls', peer, '--initial-cluster', `berth=${peer}`];
    const args = ['--name', 'berth', '--data-dir', folder.inside('etcd'), ...listen, ...cluster, '--logger', 'zap'];
    await daemon.start(etcd, args, etcdEnvironment(env));
  }
  await daemon.ready(
    'is not healthy',
    timeoutMs,
    async () => (await textAt(`${client}/health`))?.includes('true') ?? false,
  );
  return { said: `${running === undefined ? 'started' : 'already up'}, ${client}` };
}

/** `berth server`, ready to serve. Safe to call when it runs already. Throws StepFailure. */
export async function ensureServer({ folder, state, timeoutMs, env }: StartContext): Promise<Said> {
  const daemon = folder.daemon('server');
  const { ports } = state;
  const running = daemon.running();
  if (running === undefined) {
    const listen = [
      '--listen',
      HOST,
      '--marathon-port',
      ports.marathon,
      '--mesos-port',
      ports.mesos,
      '--kube-port',
      ports.kube,
    ];
    const files = [
      '--data-dir',
      folder.inside('server'),
      '--kubeconfig',
      folder.kubeconfig,
      '--cluster',
      state.cluster,
    ];
    const etcd = ['--etcd-endpoints', `http://${HOST}:${ports.etcd}`];
    await daemon.start(process.execPath, berth('server', [...listen, ...files, ...etcd]), childEnvironment(env));
  }
  const ready = `http://${HOST}:${ports.marathon}/readyz`;
  await daemon.ready(`is not ready (${ready})`, timeoutMs, async () => (await textAt(ready)) !== undefined);
  return { said: `${running === undefined ? 'started' : 'already up'}, http://${HOST}:${ports.marathon}` };
}

/** `berth agent`, answering. Whether the master has it is asked elsewhere. Throws StepFailure. */
export async function ensureAgent(context: StartContext, resources: string | undefined): Promise<Said> {
  const { folder, state, timeoutMs, env } = context;
  const daemon = folder.daemon('agent');
  const { ports } = state;
  const running = daemon.running();
  if (running === undefined) {
    const listen = ['--listen', HOST, '--port', ports.agent, '--hostname', HOST, '--master', `${HOST}:${ports.mesos}`];
    const files = [
      '--work-dir',
      folder.inside('agent'),
      '--docker-socket',
      state.docker.socket,
      '--cluster',
      state.cluster,
    ];
    const offer = resources === undefined ? [] : ['--resources', resources];
    await daemon.start(process.execPath, berth('agent', [...listen, ...files, ...offer]), childEnvironment(env));
  }
  const health = `http://${HOST}:${ports.agent}/health`;
  await daemon.ready(`does not answer (${health})`, timeoutMs, async () => (await textAt(health)) !== undefined);
  return { said: `${running === undefined ? 'started' : 'already up'}, http://${HOST}:${ports.agent}` };
}

/**
 * Looks at the ports of what does not run yet before anything is started. Throws StepFailure that names the port, who has it,
 * and the flag that chooses another one.
 */
export async function refuseTakenPorts(folder: ClusterFolder, ports: ClusterPorts): Promise<void> {
  const wanted = [
    ['server', '--marathon-port', ports.marathon],
    ['server', '--mesos-port', ports.mesos],
    ['server', '--kube-port', ports.kube],
    ['agent', '--agent-port', ports.agent],
  ] as const;
  for (const [daemon, flag, port] of wanted) {
    if (folder.daemon(daemon).running() !== undefined || (await isPortFree(port))) continue;
    const owner = listenerOf(port);
    const who = owner === undefined ? 'another process' : `process ${owner.pid} (${owner.command.slice(0, 120)})`;
    throw new StepFailure(daemon, `port ${port} is taken by ${who}`, {
      advice: `stop that process, or choose another port: npm run up -- ${flag} ${port + 1}`,
    });
  }
}

function berth(command: string, args: readonly (string | number)[]): string[] {
  return [join(packageRoot(), 'dist', 'main.js'), command, ...args.map(String)];
}

/** BERTH_ variables of the caller's shell are meant for `berth up`, not for the processes it starts. */
function childEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('BERTH_')));
}

/** ETCD_ variables would override nothing but surprise everybody; old etcd refuses other processors without one of them. */
function etcdEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const kept = Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('ETCD_')));
  return process.arch === 'x64' ? kept : { ...kept, ETCD_UNSUPPORTED_ARCH: process.arch };
}

/** The text of a good answer, or undefined. */
async function textAt(url: string): Promise<string | undefined> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(LOOK_MS) });
    const text = await answer.text();
    return answer.ok ? text : undefined;
  } catch {
    return undefined;
  }
}
