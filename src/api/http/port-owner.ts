import { readdir, readFile, readlink } from 'node:fs/promises';

/** `name (pid n)` of the process that listens on a TCP port of this host, if /proc tells us; never throws. */
export async function portOwner(port: number): Promise<string | undefined> {
  try {
    const inodes = await listeningInodes(port);
    return inodes.size === 0 ? undefined : await ownerOf(inodes);
  } catch {
    return undefined;
  }
}

const LISTEN = '0A';

async function listeningInodes(port: number): Promise<Set<string>> {
  const inodes = new Set<string>();
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    const text = await readFile(table, 'utf8').catch(() => '');
    for (const line of text.split('\n').slice(1)) {
      const fields = line.trim().split(/\s+/);
      const inode = fields[9];
      if (fields[3] === LISTEN && fields[1]?.endsWith(`:${hex}`) === true && inode !== undefined) inodes.add(inode);
    }
  }
  return inodes;
}

async function ownerOf(inodes: ReadonlySet<string>): Promise<string | undefined> {
  const links = new Set([...inodes].map((inode) => `socket:[${inode}]`));
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    for (const fd of await readdir(`/proc/${pid}/fd`).catch(() => [])) {
      const link = await readlink(`/proc/${pid}/fd/${fd}`).catch(() => '');
      if (links.has(link)) return `${(await readFile(`/proc/${pid}/comm`, 'utf8')).trim()} (pid ${pid})`;
    }
  }
  return undefined;
}
