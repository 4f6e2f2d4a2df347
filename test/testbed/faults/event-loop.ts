import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { signal } from '../../support/leftovers';
import type { BedProcess } from '../bed-process';
import type { BedNode } from '../network';

const run = promisify(execFile);
const INSPECTOR = 'http://127.0.0.1:9229/json/list';

/** Runs inside the node's namespace: has the process evaluate a busy loop, and ends when that has ended. */
const CLIENT = `
const ms = Number(process.argv[1]);
const WebSocket = require('ws');
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
async function target(attempts) {
  try {
    return (await (await fetch('${INSPECTOR}')).json())[0].webSocketDebuggerUrl;
  } catch (error) {
    if (attempts === 0) throw error;
    await pause(50);
    return target(attempts - 1);
  }
}
target(100).then((url) => {
  const socket = new WebSocket(url);
  const expression = 'for (const until = performance.now() + ' + ms + '; performance.now() < until;);';
  socket.on('open', () => socket.send(JSON.stringify({ id: 1, method: 'Runtime.evaluate', params: { expression } })));
  socket.on('message', () => socket.close());
});
`;

/**
 * The event loop of a running Node.js process stands still for so long although the process runs: timers and renewals are late, sockets
 * stay open. Resolves when it goes on. Done with its inspector, which SIGUSR1 opens, so that the product needs no hook.
 */
export async function blockEventLoop(node: BedNode, process: BedProcess, ms: number): Promise<void> {
  if (!process.isRunning) throw new Error(`${process.name} does not run`);
  signal(process.pid, 'SIGUSR1');
  await run('nsenter', [`--net=/run/netns/${node.netns}`, 'node', '-e', CLIENT, String(ms)], { timeout: ms + 20_000 });
}
