import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { resolve } from 'node:path';
import { importBusybox } from '../support/images';
import type { Testbed } from '../testbed/testbed';
import { addMachineParts, npmFolder } from './machine-image';
import { NpmMirror } from './npm-mirror';

const ROOT = resolve(__dirname, '../..');
export const BASE = 'berth-test/base:1';
const BUILD_MS = 400_000;

/**
 * Builds deploy/Dockerfile as `name` in the engine of the bed's first host, with the client that people use. The base is busybox with
 * the Node.js and the npm of this machine.
 */
export async function buildImage(bed: Testbed, name: string): Promise<void> {
  const [host] = bed.hosts;
  if (host === undefined) throw new Error('the bed has no host');
  await importBusybox(host.dockerSocket, BASE, {
    changes: ['ENV PATH=/usr/local/bin:/usr/bin:/bin'],
    add: (tar) =>
      addMachineParts(tar, {
        programs: ['node'],
        folders: [npmFolder()],
        links: { '/usr/bin/npm': `${npmFolder()}/bin/npm-cli.js`, '/usr/bin/env': '/bin/env' },
      }),
  });
  const mirror = await NpmMirror.start();
  const registry = `http://${bed.network.runnerAddress}:${mirror.port}`;
  try {
    await run(host.dockerSocket, [
      ...['build', '--file', 'deploy/Dockerfile', '--tag', name, '--network', 'host'],
      ...['--build-arg', `BASE_IMAGE=${BASE}`, '--build-arg', `npm_config_registry=${registry}`, '.'],
    ]);
  } finally {
    await mirror.stop();
  }
}

/** Not synchronous: the mirror answers in this process. */
async function run(socket: string, args: readonly string[]): Promise<void> {
  try {
    await promisify(execFile)('docker', args, {
      cwd: ROOT,
      timeout: BUILD_MS,
      maxBuffer: 32 * 1024 * 1024,
      env: { ...process.env, DOCKER_HOST: `unix://${socket}`, DOCKER_BUILDKIT: '0' },
    });
  } catch (error) {
    const { stdout = '' } = error as { stdout?: string };
    throw new Error(`${String(error)}\n${stdout.slice(-4_000)}`, { cause: error });
  }
}
