import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { pack, type Pack } from 'tar-stream';

const BUSYBOX = ['/bin/busybox', '/usr/bin/busybox'];

/** How the image's metadata should look; Dockerfile instructions (`CMD …`, `ENTRYPOINT …`, `ENV …`, `USER …`). */
export interface ImageOptions {
  readonly changes?: readonly string[];
  /** Adds more files to the image. */
  readonly add?: (tar: Pack) => void;
}

/**
 * Makes an image `name` (with a tag) out of the machine's static busybox, without a registry: /bin has every applet (sh, httpd,
 * sleep, wget, nc …), /tmp is writable, /www/index.html says "hello from berth".
 */
export async function importBusybox(socketPath: string, name: string, options: ImageOptions = {}): Promise<void> {
  const [repo, tag = 'latest'] = splitTag(name);
  const query = new URLSearchParams({ fromSrc: '-', repo, tag });
  for (const change of ['ENV PATH=/bin', 'CMD ["sh"]', ...(options.changes ?? [])]) query.append('changes', change);
  const { status, body } = await post(socketPath, `/images/create?${query.toString()}`, await busyboxTar(options.add));
  if (status !== 200 || body.includes('errorDetail')) throw new Error(`import of ${name} failed: ${status} ${body}`);
}

function splitTag(name: string): [string, string | undefined] {
  const colon = name.lastIndexOf(':');
  return colon > name.lastIndexOf('/') ? [name.slice(0, colon), name.slice(colon + 1)] : [name, undefined];
}

async function busyboxTar(add: (tar: Pack) => void = () => undefined): Promise<Buffer> {
  const binary = BUSYBOX.find((path) => existsSync(path));
  if (binary === undefined) throw new Error('missing busybox: apt-get install -y busybox-static');
  const applets = execFileSync(binary, ['--list'], { encoding: 'utf8', timeout: 10_000 }).trim().split('\n');
  const tar = pack();
  for (const folder of ['bin', 'etc', 'tmp', 'www']) tar.entry({ name: folder, type: 'directory', mode: 0o1777 });
  tar.entry({ name: 'bin/busybox', mode: 0o755 }, readFileSync(binary));
  for (const applet of applets)
    if (applet !== 'busybox') tar.entry({ name: `bin/${applet}`, type: 'symlink', linkname: 'busybox' });
  tar.entry({ name: 'etc/passwd' }, 'root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n');
  tar.entry({ name: 'etc/group' }, 'root:x:0:\nnobody:x:65534:\n');
  tar.entry({ name: 'www/index.html' }, 'hello from berth\n');
  add(tar);
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function post(socketPath: string, path: string, data: Buffer): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const headers = { 'Content-Type': 'application/x-tar', 'Content-Length': data.length };
    const req = request({ socketPath, method: 'POST', path, headers, timeout: 60_000 }, (res) => {
      let body = '';
      res.setEncoding('utf8');
      res.on('data', (chunk: string) => (body += chunk));
      res.on('end', () => resolve({ status: res.statusCode ?? 0, body }));
      res.on('error', reject);
    });
    req.on('timeout', () => req.destroy(new Error('timeout')));
    req.on('error', reject);
    req.end(data);
  });
}
