import { execFile, execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const ROOT = resolve(__dirname, '../..');
const FETCH_MS = 60_000;

interface Locked {
  readonly name: string;
  readonly version: string;
  readonly integrity: string;
}

/**
 * A registry of npm with exactly what package-lock.json names, out of the cache of this machine's npm: engines of a test bed have
 * no way out. What is not in the cache npm fetches first. Every version is checked by npm itself, by its integrity.
 */
export class NpmMirror {
  private constructor(
    private readonly server: Server,
    private readonly packages: ReadonlyMap<string, readonly Locked[]>,
    private readonly cache: string,
  ) {}

  static async start(): Promise<NpmMirror> {
    const cache = execFileSync('npm', ['config', 'get', 'cache'], {
      encoding: 'utf8',
      timeout: 20_000,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const server = createServer();
    const mirror = new NpmMirror(server, readLock(), join(cache.trim(), '_cacache'));
    server.on('request', (request, response: ServerResponse) => {
      const path = decodeURIComponent((request.url ?? '').slice(1));
      mirror.answer(path, `http://${request.headers.host}`, response).catch((error: unknown) => {
        response.statusCode = 502;
        response.end(String(error));
      });
    });
    await new Promise<void>((done) => server.listen(0, '0.0.0.0', done));
    return mirror;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }

  private async answer(path: string, self: string, response: ServerResponse): Promise<void> {
    const tarball = /^tarball\/(.+)@([^@]+)$/.exec(path);
    if (tarball !== null) {
      const found = this.packages.get(tarball[1] ?? '')?.find(({ version }) => version === tarball[2]);
      if (found !== undefined) return void response.end(await this.tarball(found));
    }
    const versions = this.packages.get(path);
    if (versions === undefined) {
      response.statusCode = 404;
      return void response.end('{}');
    }
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(documentOf(path, versions, self)));
  }

  private async tarball({ name, version, integrity }: Locked): Promise<Buffer> {
    const hex = Buffer.from(integrity.replace('sha512-', ''), 'base64').toString('hex');
    const file = join(this.cache, 'content-v2', 'sha512', hex.slice(0, 2), hex.slice(2, 4), hex.slice(4));
    // npm itself knows where its registry is, and what it takes to get in there.
    if (!existsSync(file)) await run('npm', ['cache', 'add', `${name}@${version}`], { timeout: FETCH_MS });
    return readFileSync(file);
  }
}

/** What npm asks of a package: its versions, and where each is to be had. */
function documentOf(name: string, locked: readonly Locked[], self: string): object {
  const versions = locked.map(({ version, integrity }) => [
    version,
    { name, version, dist: { tarball: `${self}/tarball/${encodeURIComponent(`${name}@${version}`)}`, integrity } },
  ]);
  return { name, 'dist-tags': { latest: locked[0]?.version }, versions: Object.fromEntries(versions) as object };
}

function readLock(): Map<string, Locked[]> {
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { version: string; integrity?: string; name?: string }>;
  };
  const found = new Map<string, Locked[]>();
  for (const [
    path,
    { version, integrity, name = path.slice(path.lastIndexOf('node_modules/') + 13) },
  ] of Object.entries(packages))
    if (integrity !== undefined) found.set(name, [...(found.get(name) ?? []), { name, version, integrity }]);
  return found;
}
