import { textOf } from '../error-text';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pack, type Pack } from 'tar-stream';
import { packageRoot } from '../package-root';
import { DockerEngine } from './docker-engine';
import { findExecutable } from './executables';
import { StepFailure } from './failure';

export const SAMPLE_IMAGE = 'berth/hello:1';
/** The base made of this machine's own busybox, where no registry can be reached. */
export const LOCAL_BASE = 'berth/busybox:1';

/** Milliseconds a registry gets to deliver busybox (2 MB) before the machine's own is used. */
const PULL_MS = 10_000;
/** Applets of the base: what the sample's script and a curious user need. */
const APPLETS = [
  'sh',
  'httpd',
  'mkdir',
  'printf',
  'echo',
  'kill',
  'cat',
  'ls',
  'ps',
  'env',
  'sleep',
  'wget',
  'nc',
  'id',
];

/** The sample's image, built here unless it is there already. Throws StepFailure. */
export async function ensureSampleImage(
  engine: DockerEngine,
  env: NodeJS.ProcessEnv,
): Promise<{ readonly said: string }> {
  try {
    if (await engine.hasImage(SAMPLE_IMAGE)) return { said: `${SAMPLE_IMAGE} is there` };
    const base = await baseImage(engine, env);
    await engine.build(SAMPLE_IMAGE, await buildContext(), { BASE: base.reference });
    return { said: `built ${SAMPLE_IMAGE} on ${base.from}` };
  } catch (error) {
    if (error instanceof StepFailure) throw error;
    throw new StepFailure('sample image', textOf(error), { cause: error });
  }
}

async function baseImage(
  engine: DockerEngine,
  env: NodeJS.ProcessEnv,
): Promise<{ readonly reference: string; readonly from: string }> {
  const pulled = 'busybox:latest';
  if (await engine.hasImage(pulled)) return { reference: pulled, from: pulled };
  const registry = await tryPull(engine);
  if (registry === undefined) return { reference: pulled, from: `${pulled} from the registry` };
  const busybox = findExecutable('busybox', env);
  if (busybox === undefined || !isStatic(readFileSync(busybox)))
    throw new StepFailure('sample image', `no registry can be reached (${registry}), and there is no static busybox`, {
      advice: 'apt-get install busybox-static (or give this machine a way to a registry)',
    });
  const [repository = '', tag = ''] = LOCAL_BASE.split(':');
  await engine.importImage(repository, tag, await rootFileSystem(await readFile(busybox)));
  return { reference: LOCAL_BASE, from: `${busybox}, since no registry can be reached` };
}

/** Undefined when it worked, else why not. */
async function tryPull(engine: DockerEngine): Promise<string | undefined> {
  try {
    await engine.pull('busybox', 'latest', PULL_MS);
    return undefined;
  } catch (error) {
    return textOf(error);
  }
}

/** A program that names an interpreter (the dynamic loader) does not run in an image of its own. */
function isStatic(elf: Buffer): boolean {
  return elf.subarray(0, 4).equals(Buffer.from('\x7fELF')) && !elf.includes('/ld-linux') && !elf.includes('/ld-musl');
}

async function buildContext(): Promise<Buffer> {
  const folder = join(packageRoot(), 'deploy', 'hello');
  const tar = pack();
  for (const name of ['Dockerfile', 'hello.sh']) tar.entry({ name, mode: 0o755 }, await readFile(join(folder, name)));
  tar.finalize();
  return bytesOf(tar);
}

async function rootFileSystem(busybox: Buffer): Promise<Buffer> {
  const tar = pack();
  for (const name of ['bin', 'etc', 'tmp'])
    tar.entry({ name, type: 'directory', mode: name === 'tmp' ? 0o1777 : 0o755 });
  tar.entry({ name: 'bin/busybox', mode: 0o755 }, busybox);
  for (const applet of APPLETS) tar.entry({ name: `bin/${applet}`, type: 'symlink', linkname: 'busybox' });
  tar.finalize();
  return bytesOf(tar);
}

async function bytesOf(tar: Pack): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of tar as AsyncIterable<unknown>) if (chunk instanceof Uint8Array) chunks.push(chunk);
  return Buffer.concat(chunks);
}
