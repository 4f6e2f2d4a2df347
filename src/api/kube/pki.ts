import { createPrivateKey, X509Certificate } from 'node:crypto';
import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { generate } from 'selfsigned';
import { messageOf, UnavailableError } from '../../core/errors';

const DAY_MS = 86_400_000;
const CA_DAYS = 3_650;
const LEAF_DAYS = 365;
/** A certificate that ends sooner than this is replaced. */
const RENEW_BEFORE_DAYS = 30;
/** Certificates begin a little in the past: the clock of a client may be behind. */
const BACKDATE_MS = 3_600_000;

/** What a TLS listener and its clients need; PEM texts. */
export interface Pki {
  /** Certificate of the authority, for clients. */
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  /** Milliseconds since the epoch when ensurePki would make a new server certificate. */
  readonly renewAtMs: number;
}

interface Pair {
  readonly cert: string;
  readonly key: string;
}

/**
 * The certificates of a server, in `directory`: `ca.crt`, `ca.key`, `server.crt`, `server.key`, readable by their owner only.
 * What is there and good is used again; a server certificate that ends soon, does not name all of `hosts`, or is not of this
 * authority is made anew by the same authority, so that clients keep trusting it. An authority without `ca.key` (brought by
 * the operator) is never replaced, nor is its server certificate, which is used until it ends; the directory may then be
 * read-only.
 * @param hosts names and addresses clients may use; localhost, 127.0.0.1 and ::1 are always in
 * @throws UnavailableError when the directory cannot be used, or the operator's certificate is not good any more
 */
export async function ensurePki(directory: string, hosts: readonly string[], nowMs: number): Promise<Pki> {
  const names = [...new Set(['localhost', '127.0.0.1', '::1', ...hosts.filter((host) => host !== '')])];
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const ca = await ensureCa(directory, nowMs);
    const server = await ensureServer(directory, ca, names, nowMs);
    return pkiOf(ca.cert, server);
  } catch (error) {
    if (error instanceof UnavailableError) throw error;
    throw new UnavailableError(`the certificate directory ${directory}`, { cause: error, detail: messageOf(error) });
  }
}

/**
 * What `served` has become in `directory`, for a process that runs for long: the pair that somebody put there since, or a new one
 * of our own once `served.renewAtMs` has come. Nothing is written before, and a pair that does not match is not taken: the files
 * may be in the middle of being replaced.
 * @throws UnavailableError when the directory cannot be read; and as ensurePki does, from renewAtMs on
 */
export async function currentPki(
  directory: string,
  hosts: readonly string[],
  nowMs: number,
  served: Pki,
): Promise<Pki> {
  if (nowMs >= served.renewAtMs) return ensurePki(directory, hosts, nowMs);
  try {
    const files = ['ca.crt', 'server.crt', 'server.key'];
    const [ca, cert, key] = await Promise.all(files.map((file) => read(directory, file)));
    if (ca === undefined || cert === undefined || key === undefined || cert === served.cert) return served;
    return isGood({ cert, key }, nowMs, 0) ? pkiOf(ca, { cert, key }) : served;
  } catch (error) {
    throw new UnavailableError(`the certificate directory ${directory}`, { cause: error, detail: messageOf(error) });
  }
}

function pkiOf(ca: string, server: Pair): Pki {
  const ends = Date.parse(new X509Certificate(server.cert).validTo);
  return { ca, ...server, renewAtMs: ends - RENEW_BEFORE_DAYS * DAY_MS };
}

async function ensureCa(directory: string, nowMs: number): Promise<{ cert: string; key: string | undefined }> {
  const [cert, key] = await Promise.all([read(directory, 'ca.crt'), read(directory, 'ca.key')]);
  if (cert !== undefined && key === undefined) return { cert, key };
  if (cert !== undefined && key !== undefined && isGood({ cert, key }, nowMs)) return { cert, key };
  const made = await make('Berth CA', CA_DAYS, nowMs, [
    { name: 'basicConstraints', cA: true, critical: true },
    { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
  ]);
  await save(directory, 'ca', made);
  return made;
}

async function ensureServer(
  directory: string,
  ca: { readonly cert: string; readonly key: string | undefined },
  names: readonly string[],
  nowMs: number,
): Promise<Pair> {
  const [cert, key] = await Promise.all([read(directory, 'server.crt'), read(directory, 'server.key')]);
  if (cert !== undefined && key !== undefined) {
    const pair = { cert, key };
    // Whoever brought the certificate renews it, and decides how late; only our own are due a month early.
    const isUsable =
      ca.key === undefined ? isGood(pair, nowMs, 0) : isGood(pair, nowMs) && serves(pair, ca.cert, names);
    if (isUsable) return pair;
  }
  if (ca.key === undefined)
    throw new UnavailableError('the server certificate', {
      detail: `${join(directory, 'server.crt')} is missing, not valid, or not of its key, and there is no ca.key to make a new one`,
    });
  const altNames = names.map((name) =>
    isIP(name) === 0 ? ({ type: 2, value: name } as const) : ({ type: 7, ip: name } as const),
  );
  const extensions: Extensions = [
    { name: 'basicConstraints', cA: false, critical: true },
    { name: 'keyUsage', digitalSignature: true, critical: true },
    { name: 'extKeyUsage', serverAuth: true },
    { name: 'subjectAltName', altNames },
  ];
  const made = await make('berth', LEAF_DAYS, nowMs, extensions, { cert: ca.cert, key: ca.key });
  await save(directory, 'server', made);
  return made;
}

type Extensions = NonNullable<NonNullable<Parameters<typeof generate>[1]>['extensions']>;

async function make(name: string, days: number, nowMs: number, extensions: Extensions, ca?: Pair): Promise<Pair> {
  const made = await generate([{ name: 'commonName', value: name }], {
    keyType: ca === undefined ? 'ec' : keyTypeOf(ca.key),
    curve: 'P-256',
    algorithm: 'sha256',
    notBeforeDate: new Date(nowMs - BACKDATE_MS),
    notAfterDate: new Date(nowMs + days * DAY_MS),
    extensions,
    ...(ca === undefined ? {} : { ca }),
  });
  return { cert: made.cert, key: made.private };
}

/** selfsigned signs only with keys of the kind that it makes: the new certificate gets a key like its authority's. */
function keyTypeOf(caKey: string): 'ec' | 'rsa' {
  const { asymmetricKeyType: type } = createPrivateKey(caKey);
  if (type === 'ec' || type === 'rsa') return type;
  throw new UnavailableError('the server certificate', {
    detail: `ca.key is of type ${type}; certificates are signed with RSA and EC keys only`,
  });
}

/** The certificate and the key belong together, and it will be valid for a while: more than `leastDays`. */
function isGood({ cert, key }: Pair, nowMs: number, leastDays = RENEW_BEFORE_DAYS): boolean {
  try {
    const certificate = new X509Certificate(cert);
    const ends = Date.parse(certificate.validTo);
    return (
      Date.parse(certificate.validFrom) <= nowMs &&
      ends - nowMs > leastDays * DAY_MS &&
      certificate.checkPrivateKey(createPrivateKey(key))
    );
  } catch {
    // A file that was cut off or edited: a new pair takes its place.
    return false;
  }
}

function serves({ cert }: Pair, ca: string, names: readonly string[]): boolean {
  const certificate = new X509Certificate(cert);
  const covers = (name: string) =>
    (isIP(name) === 0 ? certificate.checkHost(name) : certificate.checkIP(name)) !== undefined;
  return certificate.verify(new X509Certificate(ca).publicKey) && names.every(covers);
}

async function read(directory: string, file: string): Promise<string | undefined> {
  try {
    return await readFile(join(directory, file), 'utf8');
  } catch (error) {
    if (typeof error === 'object' && error !== null && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** The key first: a crash in between leaves a pair that does not match, which is then replaced. */
async function save(directory: string, name: string, { cert, key }: Pair): Promise<void> {
  await writePrivate(join(directory, `${name}.key`), key);
  await writePrivate(join(directory, `${name}.crt`), cert);
}

/** Writes a whole file or nothing, for the owner's eyes only. */
export async function writePrivate(path: string, text: string): Promise<void> {
  const temporary = `${path}.new`;
  await writeFile(temporary, text, { mode: 0o600 });
  // The mode above counts only for a file that is made; one left over may be wider open.
  await chmod(temporary, 0o600);
  await rename(temporary, path);
}
