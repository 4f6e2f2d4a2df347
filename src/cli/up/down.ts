import { rmSync } from 'node:fs';
import type { DOWN_FLAGS } from '../client-flags';
import type { ValuesOf } from '../flag';
import type { Terminal } from '../terminal';
import { ClusterFolder, type ClusterState } from './cluster-state';
import { DockerEngine } from './docker-engine';
import { ensureEngine, stopEngine, unmountUnder } from './engine';
import { withLock } from './lock';
import { Progress } from './progress';
import { LOCAL_BASE, SAMPLE_IMAGE } from './sample-image';

const ENGINE_MS = 60_000;

/**
 * Stops what `up` started in this folder and removes the containers of its cluster; with `wipe` the data too. What is not
 * there counts as stopped. Throws StepFailure.
 */
export async function down(
  options: ValuesOf<typeof DOWN_FLAGS>,
  env: NodeJS.ProcessEnv,
  terminal: Terminal,
): Promise<void> {
  const folder = new ClusterFolder(options.stateDir);
  if (!folder.exists()) {
    terminal.err(`nothing to stop: there is no ${folder.path}\n`);
    return;
  }
  await withLock(folder, () => stopAll(folder, options.wipe, env, new Progress(terminal)));
  if (options.wipe) rmSync(folder.path, { recursive: true, force: true });
  terminal.err(
    options.wipe ? `all stopped, ${folder.path} removed\n` : `all stopped; data is kept in ${folder.path}\n`,
  );
}

/** The control plane goes first, so that nothing starts containers while they are being removed. */
async function stopAll(
  folder: ClusterFolder,
  wipe: boolean,
  env: NodeJS.ProcessEnv,
  progress: Progress,
): Promise<void> {
  const state = folder.read();
  await stopDaemon(folder, 'agent', progress);
  await stopDaemon(folder, 'server', progress);
  if (state !== undefined) await progress.step('containers', () => removeContainers(folder, state, wipe, env));
  await stopDaemon(folder, 'etcd', progress);
  await progress.step('Docker', async () => {
    const stopped = await stopEngine(folder, state?.docker.startedBy ?? 'nobody', ENGINE_MS);
    return { said: stopped ? 'stopped' : 'left alone: it was not started by `berth up`' };
  });
  // The next `up` must not think that it has an engine to answer for.
  if (state !== undefined) folder.write({ ...state, docker: { ...state.docker, startedBy: 'nobody' } });
  await unmountUnder(folder.path);
}

async function stopDaemon(folder: ClusterFolder, name: 'agent' | 'server' | 'etcd', progress: Progress): Promise<void> {
  await progress.step(name, async () => ({ said: (await folder.daemon(name).stop()) ? 'stopped' : 'was not running' }));
}

async function removeContainers(
  folder: ClusterFolder,
  state: ClusterState,
  wipe: boolean,
  env: NodeJS.ProcessEnv,
): Promise<{ readonly said: string }> {
  const { socket, startedBy } = state.docker;
  const engine = new DockerEngine(socket);
  // Our own engine may have died while its containers live on: only an engine can remove them.
  if (startedBy === 'up') await ensureEngine(folder, socket, startedBy, ENGINE_MS, env);
  const info = await engine.info();
  if ('unreachable' in info)
    return { said: `no engine answers on ${socket} (${info.unreachable}), so none were removed` };
  const containers = await engine.containersWith(`berth.cluster=${state.cluster}`);
  for (const { id } of containers) await engine.removeContainer(id);
  if (wipe) for (const image of [SAMPLE_IMAGE, LOCAL_BASE]) await engine.removeImage(image);
  return { said: `${containers.length} removed${wipe ? ', sample image removed' : ''}` };
}
