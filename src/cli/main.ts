import { commandOf, helpText, readArguments, type CommandName } from './arguments';
import { CLIENT_FLAGS, DOWN_FLAGS, LOGS_FLAGS, UP_FLAGS } from './client-flags';
import { ClusterClient, ClusterError } from './cluster-client';
import { readFlags } from './flag';
import { logs } from './logs';
import {
  parseAgentOptions,
  parseBackupOptions,
  parseDoctorOptions,
  parseRestoreOptions,
  parseServerOptions,
  type AgentOptions,
  type BackupOptions,
  type DoctorOptions,
  type RestoreOptions,
  type ServerOptions,
} from './options';
import { packageVersion } from './package-root';
import { status } from './status';
import type { Terminal } from './terminal';
import { readTokenFile } from './token';
import { urlOfLocalCluster } from './up/cluster-state';
import { down } from './up/down';
import { explain, StepFailure } from './up/failure';
import { up } from './up/up';
import { UsageError } from './usage-error';

/** Commands that are more than a client, given by main.ts: the command line itself builds nothing. Each resolves when it has ended. */
export interface Handlers {
  server(options: ServerOptions): Promise<void>;
  agent(options: AgentOptions): Promise<void>;
  /** Throws StepFailure. */
  backup(options: BackupOptions, terminal: Terminal): Promise<void>;
  /** Throws StepFailure. */
  restore(options: RestoreOptions, terminal: Terminal): Promise<void>;
  /** Throws StepFailure when something must be fixed. */
  doctor(options: DoctorOptions, terminal: Terminal): Promise<void>;
}

const DEFAULT_URL = 'http://127.0.0.1:8080';
const [DONE, FAILED, MISUSED] = [0, 1, 2];

/**
 * Runs one command line (without `node` and script) and resolves with the exit code: 0 done, 1 failed, 2 the command line
 * itself is wrong (one line says how). `signal` ends what runs until it is told to stop (`logs -f`). What is a bug is thrown.
 */
export async function runCli(
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
  handlers: Handlers,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<number> {
  try {
    return await run(argv, env, handlers, terminal, signal);
  } catch (error) {
    if (error instanceof UsageError) {
      terminal.err(`berth: ${error.message}\n`);
      return MISUSED;
    }
    if (error instanceof StepFailure) terminal.err(explain(error));
    else if (error instanceof ClusterError) terminal.err(`berth: ${error.message}\n`);
    else throw error;
    return FAILED;
  }
}

async function run(
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
  handlers: Handlers,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<number> {
  const [first, ...rest] = argv;
  if (first === undefined || first === '--help' || first === '-h' || first === 'help') {
    terminal.out(await helpText(commandOf(rest[0])));
    return first === undefined ? MISUSED : DONE;
  }
  const name = first === '--version' || first === '-v' ? 'version' : commandOf(first);
  if (name === undefined) return MISUSED;
  if (rest.includes('--help') || rest.includes('-h')) terminal.out(await helpText(name));
  else await command(name, rest, env, handlers, terminal, signal);
  return DONE;
}

async function command(
  name: CommandName,
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
  handlers: Handlers,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<void> {
  switch (name) {
    case 'server':
      return handlers.server(withReadableToken(parseServerOptions(argv, env)));
    case 'agent':
      return handlers.agent(withReadableToken(parseAgentOptions(argv, env)));
    case 'backup':
      return handlers.backup(parseBackupOptions(argv, env), terminal);
    case 'restore':
      return handlers.restore(parseRestoreOptions(argv, env), terminal);
    case 'doctor':
      return handlers.doctor(parseDoctorOptions(argv, env), terminal);
    case 'up':
      return up(readFlags(UP_FLAGS, readArguments(name, argv).flags, env), env, terminal);
    case 'down':
      return down(readFlags(DOWN_FLAGS, readArguments(name, argv).flags, env), env, terminal);
    case 'status': {
      const flags = readFlags(CLIENT_FLAGS, readArguments(name, argv).flags, env);
      return status(clusterOf(flags), flags.json, terminal);
    }
    case 'logs': {
      const given = readArguments(name, argv);
      const { follow, tail, stderr, ...flags } = readFlags(LOGS_FLAGS, given.flags, env);
      const [app = ''] = given.positionals;
      return logs(clusterOf(flags), { app, follow, tail, stream: stderr ? 'stderr' : 'stdout' }, terminal, signal);
    }
    case 'version':
      readArguments(name, argv);
      return terminal.out(`berth ${packageVersion()} (node ${process.version})\n`);
  }
}

/** A secret that cannot be read is a mistake on the command line, and better told before anything has started. */
function withReadableToken<T extends ServerOptions | AgentOptions>(options: T): T {
  if (options.auth.kind === 'token') readTokenFile(options.auth.tokenFile);
  return options;
}

function clusterOf(flags: {
  readonly url: string | undefined;
  readonly tokenFile: string | undefined;
  readonly stateDir: string;
}): ClusterClient {
  const url = flags.url ?? urlOfLocalCluster(flags.stateDir) ?? DEFAULT_URL;
  return flags.tokenFile === undefined
    ? new ClusterClient(url)
    : new ClusterClient(url, readTokenFile(flags.tokenFile));
}
