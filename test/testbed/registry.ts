import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type Docker from 'dockerode';
import { waitFor } from '../support/wait';
import { BedProcess } from './bed-process';

const PORT = 5077;
const USER = 'berth';

/** A private registry with basic auth, in the runner's namespace. */
export class Registry {
  readonly process: BedProcess;
  /** host:port, the first part of image names. */
  readonly host: string;
  readonly password = randomBytes(12).toString('hex');
  /** config.json with the login, as `docker login` writes it. */
  readonly dockerConfig: string;

  constructor(
    address: string,
    private readonly dir: string,
  ) {
    this.host = `${address}:${PORT}`;
    this.dockerConfig = join(dir, 'config.json');
    this.process = new BedProcess('registry', {
      logFile: join(dir, 'log'),
      pidFile: join(dir, 'pid'),
      command: ['docker-registry', 'serve', join(dir, 'config.yml')],
    });
  }

  /** Writes the logins that agents use, for the registry and for other names of it. A wrong password is a fault. */
  login(password = this.password, others: readonly string[] = []): void {
    const auth = Buffer.from(`${USER}:${password}`).toString('base64');
    const auths = Object.fromEntries([this.host, ...others].map((name) => [name, { auth }]));
    writeFileSync(this.dockerConfig, JSON.stringify({ auths }));
  }

  async start(): Promise<void> {
    const { dir, host } = this;
    mkdirSync(dir, { recursive: true });
    const htpasswd = execFileSync('htpasswd', ['-Bbn', USER, this.password], { encoding: 'utf8', timeout: 10_000 });
    writeFileSync(join(dir, 'htpasswd'), htpasswd);
    writeFileSync(join(dir, 'config.yml'), config(dir, host));
    this.login();
    this.process.start();
    await this.ready();
  }

  async ready(): Promise<void> {
    const listens = async () =>
      (await fetch(`http://${this.host}/v2/`, { signal: AbortSignal.timeout(1_000) })).status === 401;
    await waitFor('the registry to ask for a login', listens, 15_000, 20);
  }

  /** Pushes an image of this engine as `<registry>/<name>` and returns its digest, `sha256:…`. */
  async push(docker: Docker, image: string, name: string): Promise<string> {
    const [repository = name, tag = 'latest'] = name.split(':');
    await docker.getImage(image).tag({ repo: `${this.host}/${repository}`, tag });
    const authconfig = { username: USER, password: this.password, serveraddress: this.host };
    const stream = await docker.getImage(`${this.host}/${repository}`).push({ tag, authconfig });
    const lines = await new Promise<readonly { error?: string; aux?: { Digest?: string } }[]>((resolve, reject) => {
      docker.modem.followProgress(stream, (error, output) => (error === null ? resolve(output) : reject(error)));
    });
    const failure = lines.find(({ error }) => error !== undefined)?.error;
    const digest = lines.find(({ aux }) => aux?.Digest !== undefined)?.aux?.Digest;
    if (failure !== undefined || digest === undefined)
      throw new Error(`push of ${name} failed: ${failure ?? 'no digest'}`);
    return digest;
  }
}

function config(dir: string, host: string): string {
  return `version: 0.1
log: { level: warn }
storage:
  filesystem: { rootdirectory: ${dir}/data }
  delete: { enabled: true }
http: { addr: '${host}' }
auth:
  htpasswd: { realm: berth, path: ${dir}/htpasswd }
`;
}
