import { readFile } from 'node:fs/promises';
import { z } from 'zod';

/** What the engine sends to a registry for us. */
export interface RegistryAuth {
  readonly username?: string;
  readonly password?: string;
  readonly identitytoken?: string;
  readonly serveraddress: string;
}

const configSchema = z.looseObject({
  auths: z
    .record(
      z.string(),
      z.looseObject({
        auth: z.string().optional(),
        username: z.string().optional(),
        password: z.string().optional(),
        identitytoken: z.string().optional(),
      }),
    )
    .default({}),
});

const HUB = 'https://index.docker.io/v1/';

/** The registry of an image name, as `docker login` writes it in its config. */
export function registryOf(image: string): string {
  const slash = image.indexOf('/');
  const first = slash === -1 ? '' : image.slice(0, slash);
  const isHost = first.includes('.') || first.includes(':') || first === 'localhost';
  return isHost && first !== 'docker.io' && first !== 'index.docker.io' ? first : HUB;
}

/**
 * The login for an image out of a Docker `config.json`. Read at each pull, so that a new login needs no restart. Undefined: none
 * there. Credential helpers are not run. Throws when the file cannot be read.
 */
export async function registryAuth(configFile: string | undefined, image: string): Promise<RegistryAuth | undefined> {
  if (configFile === undefined) return undefined;
  const { auths } = configSchema.parse(JSON.parse(await readFile(configFile, 'utf8')));
  const registry = registryOf(image);
  const wanted = bare(registry);
  const entry = Object.entries(auths).find(([name]) => name === registry || bare(name) === wanted)?.[1];
  if (entry === undefined) return undefined;
  if (entry.identitytoken !== undefined && entry.identitytoken !== '')
    return { identitytoken: entry.identitytoken, serveraddress: registry };
  if (entry.auth === undefined || entry.auth === '')
    return entry.username === undefined
      ? undefined
      : { username: entry.username, password: entry.password ?? '', serveraddress: registry };
  const [username = '', ...rest] = Buffer.from(entry.auth, 'base64').toString('utf8').split(':');
  return { username, password: rest.join(':'), serveraddress: registry };
}

/** Entries may be written with scheme and path: `https://registry.example.com/v1/`. */
function bare(name: string): string {
  return name.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
}
