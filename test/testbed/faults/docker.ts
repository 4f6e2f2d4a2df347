import { existsSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { signal } from '../../support/leftovers';
import { waitFor } from '../../support/wait';
import { isAlive } from '../../support/leftovers';
import type { AgentHost } from '../agent-host';
import { BedProcess } from '../bed-process';
import type { Heal } from './fault';

/** dockerd dies and is started again; containers go on where live-restore is on. */
export async function restartDockerd(host: AgentHost, how: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
  await host.dockerd.kill(how, 60_000);
  await host.startDockerd();
}

/** containerd dies: containers go on, new ones cannot be started. */
export async function killContainerd(host: AgentHost): Promise<Heal> {
  await host.containerd.kill('SIGKILL');
  return () => host.startContainerd();
}

/** The shim of one container dies, and the container with it. */
export async function killShim(host: AgentHost, containerId: string): Promise<void> {
  const shims = shimsOf(containerId);
  if (shims.length === 0) throw new Error(`no shim of ${containerId} runs on ${host.node.name}`);
  for (const pid of shims) signal(pid, 'SIGKILL');
  await waitFor(`the shim of ${containerId} to end`, () => shims.every((pid) => !isAlive(pid)), 10_000, 10);
}

/** A process that is none of ours listens on these ports of the host, on every address. */
export async function takePorts(host: AgentHost, ports: readonly number[]): Promise<Heal> {
  const { dir, netns } = host.node;
  const ready = join(dir, 'ports-taken');
  const script = `
    const { createServer } = require('node:net');
    const listen = (port) => new Promise((resolve) => createServer().listen(port, '0.0.0.0', resolve));
    Promise.all(${JSON.stringify(ports)}.map(listen)).then(() => require('node:fs').writeFileSync('${ready}', ''));`;
  const stranger = new BedProcess(`stranger on ${host.node.name}`, {
    netns,
    command: [process.execPath, '-e', script],
    logFile: join(dir, 'stranger.log'),
    pidFile: join(dir, 'stranger.pid'),
  });
  stranger.start();
  await waitFor(`a stranger to listen on ports of ${host.node.name}`, () => existsSync(ready));
  return async () => {
    rmSync(ready, { force: true });
    await stranger.kill();
  };
}

function shimsOf(containerId: string): number[] {
  const isShim = (pid: number) => {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      return command.includes('containerd-shim') && command.includes(containerId) && isAlive(pid);
    } catch {
      return false;
    }
  };
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter(isShim);
}
