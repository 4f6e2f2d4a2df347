import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { stringify } from 'yaml';
import { writePrivate } from './pki';

export interface KubeconfigOptions {
  /** `https://127.0.0.1:8443` */
  readonly server: string;
  /** PEM text of the authority. */
  readonly ca: string;
  /** Absent: the server asks for none. */
  readonly token?: string;
  /** Name of cluster, user and context; default `berth`. */
  readonly name?: string;
}

/** The text of a kubeconfig with one cluster, one user and one context. It holds the token: treat it as a secret. */
export function kubeconfig({ server, ca, token, name = 'berth' }: KubeconfigOptions): string {
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster: { server, 'certificate-authority-data': Buffer.from(ca, 'utf8').toString('base64') } }],
    users: [{ name, user: token === undefined ? {} : { token } }],
    contexts: [{ name, context: { cluster: name, user: name, namespace: 'default' } }],
    'current-context': name,
  });
}

/** Writes it to a file that only its owner can read. */
export async function writeKubeconfig(path: string, options: KubeconfigOptions): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writePrivate(path, kubeconfig(options));
}
