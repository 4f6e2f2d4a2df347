import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { UP_FLAGS } from '../client-flags';
import { ClusterClient } from '../cluster-client';
import type { ValuesOf } from '../flag';
import { packageRoot } from '../package-root';
import type { Terminal } from '../terminal';
import { ensureAgent, ensureEtcd, ensureServer, refuseTakenPorts, type StartContext } from './cluster-processes';
import { ClusterFolder, type ClusterPorts, type ClusterState } from './cluster-state';
import { DockerEngine } from './docker-engine';
import { ensureEngine, socketPath } from './engine';
import { findExecutable } from './executables';
import { StepFailure } from './failure';
import { withLock } from './lock';
import { freePort, isPortFree } from './process-table';
import { Progress } from './progress';
import { ensureSampleApp, waitForAgent, type SampleAnswer } from './sample-app';
import { ensureSampleImage } from './sample-image';

export type UpOptions = ValuesOf<typeof UP_FLAGS>;

const DEFAULT_PORTS = { marathon: 8080, mesos: 5050, kube: 8443, agent: 5051, etcd: 2379 };

/**
 * Starts a one-node cluster on this machine and deploys the sample app. Whatever runs already is left alone, so a second
 * call only says so. Throws StepFailure.
 */
export async function up(options: UpOptions, env: NodeJS.ProcessEnv, terminal: Terminal): Promise<void> {
  if (process.platform !== 'linux')
    throw new StepFailure('start', `this runs on Linux only, not on ${process.platform}`, {
      advice: 'use a Linux machine or a virtual one; the agent needs a Docker engine on its own host',
    });
  if (!existsSync(join(packageRoot(), 'dist', 'main.js')))
    throw new StepFailure('start', 'the program is not built', { advice: 'npm run build (npm run up does it too)' });
  const folder = new ClusterFolder(options.stateDir);
  folder.create();
  await withLock(folder, () => start(folder, options, env, terminal));
}

async function start(
  folder: ClusterFolder,
  options: UpOptions,
  env: NodeJS.ProcessEnv,
  terminal: Terminal,
): Promise<void> {
  const progress = new Progress(terminal);
  const timeoutMs = options.timeout;
  const before = folder.read();
  refuseMoves(folder, options, before);
  const ports = await choosePorts(folder, options, before, progress);
  await refuseTakenPorts(folder, ports);
  const socket = before?.docker.socket ?? socketPath(options.dockerSocket, env);
  let state: ClusterState = {
    cluster: folder.clusterName(),
    ports,
    docker: { socket, startedBy: before?.docker.startedBy ?? 'nobody' },
  };
  folder.write(state);

  const engine = await progress.step('Docker', () => startEngine(folder, state, timeoutMs, env));
  state = { ...state, docker: { socket, startedBy: engine.startedBy } };
  folder.write(state);
  if (!engine.liveRestore)
    progress.note('live-restore is off: containers end when Docker restarts (set it in daemon.json)');

  const context: StartContext = { folder, state, timeoutMs, env };
  const cluster = new ClusterClient(`http://127.0.0.1:${ports.marathon}`);
  await progress.step('etcd', () => ensureEtcd(context));
  await progress.step('server', () => ensureServer(context));
  await progress.step('agent', () => ensureAgent(context, options.resources));
  await progress.step('registration', () => waitForAgent(cluster, timeoutMs, folder.daemon('agent').logFile));
  const answers = options.sample ? await startSample(context, cluster, progress) : [];
  terminal.out(summary(folder, state, answers, env));
}

async function startEngine(
  folder: ClusterFolder,
  state: ClusterState,
  timeoutMs: number,
  env: NodeJS.ProcessEnv,
): Promise<{ said: string; startedBy: ClusterState['docker']['startedBy']; liveRestore: boolean }> {
  const { socket } = state.docker;
  const { startedBy, info } = await ensureEngine(folder, socket, state.docker.startedBy, timeoutMs, env);
  const how = startedBy === 'nobody' ? 'already up' : startedBy === 'up' ? 'own engine up' : 'up through systemd';
  return { said: `${how}, ${info.version} on ${socket}`, startedBy, liveRestore: info.liveRestore };
}

async function startSample(
  { folder, state, timeoutMs, env }: StartContext,
  cluster: ClusterClient,
  progress: Progress,
): Promise<readonly SampleAnswer[]> {
  const engine = new DockerEngine(state.docker.socket);
  await progress.step('sample image', () => ensureSampleImage(engine, env));
  const logFile = folder.daemon('agent').logFile;
  const { answers } = await progress.step('sample app', () => ensureSampleApp(cluster, timeoutMs, logFile));
  return answers;
}

/** A running cluster cannot change its ports or its engine under way. */
function refuseMoves(folder: ClusterFolder, options: UpOptions, before: ClusterState | undefined): void {
  if (before === undefined) return;
  const asked = { ...wantedPorts(options) };
  const daemons = { marathon: 'server', mesos: 'server', kube: 'server', agent: 'agent', etcd: 'etcd' } as const;
  for (const [name, daemon] of Object.entries(daemons) as [
    keyof typeof daemons,
    (typeof daemons)[keyof typeof daemons],
  ][]) {
    const port = asked[name];
    if (port === undefined || port === before.ports[name] || folder.daemon(daemon).running() === undefined) continue;
    throw new StepFailure(daemon, `it runs already, with ${name} port ${before.ports[name]} instead of ${port}`, {
      advice: '`npm run down` first, then `npm run up` with the new port',
    });
  }
  const { socket } = before.docker;
  if (options.dockerSocket !== undefined && options.dockerSocket !== socket)
    throw new StepFailure('Docker', `this cluster uses the engine on ${socket}`, {
      advice: '`npm run down -- --wipe` first: containers do not move between engines',
    });
}

function wantedPorts(options: UpOptions): Partial<Record<keyof typeof DEFAULT_PORTS, number>> {
  const { marathonPort, mesosPort, kubePort, agentPort, etcdPort } = options;
  const wanted = { marathon: marathonPort, mesos: mesosPort, kube: kubePort, agent: agentPort, etcd: etcdPort };
  return Object.fromEntries(Object.entries(wanted).filter(([, port]) => port !== undefined));
}

/** Flag, else as before, else default. etcd's ports are nobody's business but ours: when taken, free ones are used. */
async function choosePorts(
  folder: ClusterFolder,
  options: UpOptions,
  before: ClusterState | undefined,
  progress: Progress,
): Promise<ClusterPorts> {
  const ports = { ...DEFAULT_PORTS, ...before?.ports, ...wantedPorts(options) };
  const etcdRuns = folder.daemon('etcd').running() !== undefined;
  if (!etcdRuns && !(await isPortFree(ports.etcd))) {
    const taken = ports.etcd;
    ports.etcd = await freePort();
    progress.note(`port ${taken} is taken, so etcd listens on ${ports.etcd}`);
  }
  const known = before?.ports.etcdPeer;
  const keepPeer = known !== undefined && (etcdRuns || (await isPortFree(known)));
  return { ...ports, etcdPeer: keepPeer ? known : await freePort() };
}

function summary(
  folder: ClusterFolder,
  { ports, docker }: ClusterState,
  answers: readonly SampleAnswer[],
  env: NodeJS.ProcessEnv,
): string {
  const url = `http://127.0.0.1:${ports.marathon}`;
  const kubeconfig = relative(process.cwd(), folder.kubeconfig);
  const berth = `node ${relative(process.cwd(), join(packageRoot(), 'dist', 'main.js'))}`;
  const local =
    folder.path === new ClusterFolder('.berth').path ? '' : ` --state-dir ${relative(process.cwd(), folder.path)}`;
  const noKubectl = findExecutable('kubectl', env) === undefined ? '   # kubectl is not installed here' : '';
  const dockerHost = docker.socket === '/var/run/docker.sock' ? '' : ` -H unix://${docker.socket}`;
  return [
    '',
    ...answers.map(({ address, answer }) => `  http://${address}/  ->  ${answer}`),
    ...(answers.length === 0 ? [] : ['']),
    `  Marathon API    ${url}/v2/apps`,
    `  Mesos API       http://127.0.0.1:${ports.mesos}`,
    `  Kubernetes API  https://127.0.0.1:${ports.kube}  (kubeconfig: ${kubeconfig})`,
    `  metrics         ${url}/metrics  http://127.0.0.1:${ports.agent}/metrics`,
    `  logs, data      ${relative(process.cwd(), folder.path)}/logs, ${relative(process.cwd(), folder.path)}`,
    '',
    'Try:',
    `  curl ${url}/v2/apps/hello`,
    `  curl -X PUT -H 'Content-Type: application/json' ${url}/v2/apps/hello -d '{"instances": 3}'`,
    `  kubectl --kubeconfig ${kubeconfig} get apps${noKubectl}`,
    `  ${berth} logs /hello -f${local}`,
    `  ${berth} status${local}`,
    `  docker${dockerHost} ps --filter label=berth.cluster`,
    `  npm run down`,
    '',
  ].join('\n');
}
