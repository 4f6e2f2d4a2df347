import { hostname as systemHostname } from 'node:os';
import { resolve } from 'node:path';
import { AGENT_FLAGS } from './agent-flags';
import { readArguments } from './arguments';
import { BACKUP_FLAGS, RESTORE_FLAGS } from './backup-flags';
import { DOCTOR_FLAGS } from './doctor-flags';
import { checkEtcdFlags, type EtcdAccess } from './etcd-flags';
import { readFlags, type ValuesOf } from './flag';
import { SERVER_FLAGS } from './server-flags';
import { UsageError } from './usage-error';
import { isLoopback, type Endpoint } from './values';

/**
 * Who may call this process. `loopback`: anybody on this machine, since nobody else can reach it. `token`: bearer token, or
 * the same secret as basic-auth password. `insecure`: anybody who can reach it, because the operator said so.
 */
export type Auth =
  | { readonly kind: 'loopback' }
  | { readonly kind: 'token'; readonly tokenFile: string }
  | { readonly kind: 'insecure' };

/** Certificate and key (PEM files) of this process's plain-HTTP faces. */
export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

type Durations<K extends string> = { readonly [Name in K as `${Name}Ms`]: number };
type ServerDurations =
  'leaderTtl' | 'agentPingTimeout' | 'agentReregisterTimeout' | 'offerTimeout' | 'taskLaunchTimeout';
type Combined = 'tokenFile' | 'insecureNoAuth' | 'tlsCert' | 'tlsKey' | 'hostname';

/** What every long-running process has. */
interface ProcessOptions {
  readonly auth: Auth;
  readonly tls: TlsFiles | undefined;
  /** Name of this machine in answers and records. */
  readonly hostname: string;
}

/** What `berth server` was started with: everything checked, paths absolute. `cli/server-flags.ts` says what each means. */
export type ServerOptions = ProcessOptions &
  Durations<ServerDurations> &
  Omit<ValuesOf<typeof SERVER_FLAGS>, Combined | ServerDurations | 'advertiseAddress' | 'kubeconfig'> & {
    /** Host name or address (no port) under which other machines reach this process. */
    readonly advertiseAddress: string;
    /** Where the server writes a kubeconfig for its own Kubernetes face. */
    readonly kubeconfig: string;
  };

/** What `berth agent` was started with: everything checked, paths absolute. `cli/agent-flags.ts` says what each means. */
export type AgentOptions = ProcessOptions &
  Durations<'gcDelay'> &
  Omit<ValuesOf<typeof AGENT_FLAGS>, Combined | 'gcDelay' | 'master'> & {
    /** Mesos ports of the servers. */
    readonly masters: readonly Endpoint[];
  };

/** @param argv what follows `berth server`. Throws UsageError: one line that names the flag or variable. */
export function parseServerOptions(argv: readonly string[], env: NodeJS.ProcessEnv): ServerOptions {
  const flags = readFlags(SERVER_FLAGS, readArguments('server', argv).flags, env);
  const { tokenFile, insecureNoAuth, tlsCert, tlsKey, leaderTtl, agentPingTimeout, agentReregisterTimeout, ...others } =
    flags;
  const { offerTimeout, taskLaunchTimeout, ...values } = others;
  const tls = tlsOf(tlsCert, tlsKey);
  checkServer(values, tls !== undefined);
  const hostname = values.hostname ?? hostnameFor(values.listen);
  const dataDir = resolve(values.dataDir);
  return {
    ...values,
    dataDir,
    hostname,
    advertiseAddress: values.advertiseAddress ?? (isWildcard(values.listen) ? hostname : values.listen),
    leaderTtlMs: leaderTtl,
    agentPingTimeoutMs: agentPingTimeout,
    agentReregisterTimeoutMs: agentReregisterTimeout,
    offerTimeoutMs: offerTimeout,
    taskLaunchTimeoutMs: taskLaunchTimeout,
    kubeconfig: resolve(values.kubeconfig ?? `${dataDir}/kubeconfig`),
    auth: authOf(values.listen, tokenFile, insecureNoAuth),
    tls,
  };
}

/** @param argv what follows `berth agent`. Throws UsageError: one line that names the flag or variable. */
export function parseAgentOptions(argv: readonly string[], env: NodeJS.ProcessEnv): AgentOptions {
  const flags = readFlags(AGENT_FLAGS, readArguments('agent', argv).flags, env);
  const { tokenFile, insecureNoAuth, tlsCert, tlsKey, master, gcDelay, ...values } = flags;
  return {
    ...values,
    masters: master,
    gcDelayMs: gcDelay,
    workDir: resolve(values.workDir),
    hostname: values.hostname ?? hostnameFor(values.listen),
    auth: authOf(values.listen, tokenFile, insecureNoAuth),
    tls: tlsOf(tlsCert, tlsKey),
  };
}

type ServerChecks =
  'localPortMin' | 'localPortMax' | 'tlsCa' | 'etcdCert' | 'etcdKey' | 'etcdUser' | 'etcdPasswordFile';

function checkServer(values: Pick<ValuesOf<typeof SERVER_FLAGS>, ServerChecks>, hasTls: boolean): void {
  if (values.localPortMin > values.localPortMax)
    throw new UsageError(
      `--local-port-min ${values.localPortMin} must not be above --local-port-max ${values.localPortMax}`,
    );
  if (values.tlsCa !== undefined && !hasTls)
    throw new UsageError('--tls-ca needs --tls-cert: without TLS there is no certificate to check');
  checkEtcdFlags(values);
}

/** Safe by default: whatever others can reach needs a secret, or the operator's word that it needs none. */
function authOf(listen: string, tokenFile: string | undefined, insecure: boolean): Auth {
  if (tokenFile !== undefined && insecure)
    throw new UsageError('--token-file and --insecure-no-auth contradict each other: give one of them');
  if (tokenFile !== undefined) return { kind: 'token', tokenFile: resolve(tokenFile) };
  if (insecure) return { kind: 'insecure' };
  if (isLoopback(listen)) return { kind: 'loopback' };
  throw new UsageError(`--listen ${listen} can be reached by others: add --token-file FILE (or --insecure-no-auth)`);
}

function tlsOf(certFile: string | undefined, keyFile: string | undefined): TlsFiles | undefined {
  if (certFile !== undefined && keyFile !== undefined) return { certFile, keyFile };
  if (certFile === undefined && keyFile === undefined) return undefined;
  throw new UsageError('--tls-cert and --tls-key must be given together');
}

/** The name others see. On loopback there are no others, and the machine's own name may not resolve to loopback. */
function hostnameFor(listen: string): string {
  return isLoopback(listen) ? listen : systemHostname();
}

function isWildcard(listen: string): boolean {
  return listen === '0.0.0.0' || listen === '::';
}

/** What `berth backup` was started with. */
export type BackupOptions = EtcdAccess & { readonly file: string };

/** What `berth restore` was started with. */
export type RestoreOptions = BackupOptions & {
  /** Remove the records that are there instead of refusing. */
  readonly replace: boolean;
};

/** @param argv what follows `berth backup`. Throws UsageError. */
export function parseBackupOptions(argv: readonly string[], env: NodeJS.ProcessEnv): BackupOptions {
  const { flags, positionals } = readArguments('backup', argv);
  const values = readFlags(BACKUP_FLAGS, flags, env);
  checkEtcdFlags(values);
  return { ...values, file: resolve(positionals[0] ?? '') };
}

/** @param argv what follows `berth restore`. Throws UsageError. */
export function parseRestoreOptions(argv: readonly string[], env: NodeJS.ProcessEnv): RestoreOptions {
  const { flags, positionals } = readArguments('restore', argv);
  const values = readFlags(RESTORE_FLAGS, flags, env);
  checkEtcdFlags(values);
  return { ...values, file: resolve(positionals[0] ?? '') };
}

/** What `berth doctor` was started with. */
export type DoctorOptions = ValuesOf<typeof DOCTOR_FLAGS>;

/** @param argv what follows `berth doctor`. Throws UsageError. */
export function parseDoctorOptions(argv: readonly string[], env: NodeJS.ProcessEnv): DoctorOptions {
  const values = readFlags(DOCTOR_FLAGS, readArguments('doctor', argv).flags, env);
  checkEtcdFlags(values);
  return values;
}
