import yargs, { type Argv } from 'yargs';
import { AGENT_FLAGS } from './agent-flags';
import { BACKUP_FLAGS, RESTORE_FLAGS } from './backup-flags';
import { CLIENT_FLAGS, DOWN_FLAGS, LOGS_FLAGS, UP_FLAGS } from './client-flags';
import { flagName, variableName, type Flag, type FlagTable } from './flag';
import { DOCTOR_FLAGS } from './doctor-flags';
import { SERVER_FLAGS } from './server-flags';
import { UsageError } from './usage-error';

/** One command of the command line as data. */
interface Command {
  readonly about: string;
  readonly flags: FlagTable;
  /** Positional arguments as help shows them; all are required. */
  readonly positionals: readonly string[];
  /** Examples for the help, each with what it does. */
  readonly examples: readonly (readonly [string, string])[];
}

export const COMMANDS = {
  up: {
    about: 'start a one-node cluster on this machine and deploy a sample app',
    flags: UP_FLAGS,
    positionals: [],
    examples: [
      ['berth up', 'etcd, Docker (if it is not running), server, agent, sample app'],
      ['berth up --marathon-port 8081', 'the same when 8080 is taken'],
    ],
  },
  down: {
    about: 'stop what `berth up` started and remove its containers',
    flags: DOWN_FLAGS,
    positionals: [],
    examples: [
      ['berth down', 'keeps the data: the next `up` finds its apps again'],
      ['berth down --wipe', 'removes the data too'],
    ],
  },
  status: {
    about: 'show servers, agents and apps',
    flags: CLIENT_FLAGS,
    positionals: [],
    examples: [['berth status --url http://10.0.0.1:8080 --token-file secret', 'of a cluster elsewhere']],
  },
  logs: {
    about: "print the output of an app's instances",
    flags: LOGS_FLAGS,
    positionals: ['APP'],
    examples: [
      ['berth logs /hello', 'what all instances wrote to stdout'],
      ['berth logs hello -f --tail 10 --stderr', 'the last ten lines of stderr, and what follows'],
    ],
  },
  server: {
    about: 'run a control-plane server (needs etcd)',
    flags: SERVER_FLAGS,
    positionals: [],
    examples: [
      ['berth server --etcd-endpoints http://10.0.0.1:2379,http://10.0.0.2:2379', 'on loopback, for this machine only'],
      ['berth server --listen 0.0.0.0 --token-file /etc/berth/token', 'for others too'],
    ],
  },
  agent: {
    about: 'run an agent: offers this node and runs tasks on its Docker',
    flags: AGENT_FLAGS,
    positionals: [],
    examples: [
      ['berth agent --master 10.0.0.1:5050,10.0.0.2:5050 --listen 0.0.0.0 --token-file /etc/berth/token', 'a node'],
      ['berth agent --resources "cpus:4;mem:8192;ports:[31000-32000]" --attributes rack:a', 'says what it has'],
    ],
  },
  backup: {
    about: 'write all records, as of one moment, to a file; the cluster may run',
    flags: BACKUP_FLAGS,
    positionals: ['FILE'],
    examples: [
      ['berth backup /var/backups/berth.jsonl.gz', 'of the etcd on this machine; .gz compresses'],
      ['berth backup all.jsonl --etcd-endpoints http://10.0.0.1:2379', 'of an etcd elsewhere'],
    ],
  },
  restore: {
    about: 'write the records of a backup into an empty etcd; all servers must be stopped, agents may run',
    flags: RESTORE_FLAGS,
    positionals: ['FILE'],
    examples: [
      ['berth restore /var/backups/berth.jsonl.gz', 'then start the servers: running containers are found again'],
      ['berth restore all.jsonl --replace', 'what etcd holds now is removed first'],
    ],
  },
  doctor: {
    about: 'look at this machine, its Docker and its etcd, and say what to fix',
    flags: DOCTOR_FLAGS,
    positionals: [],
    examples: [
      ['berth doctor', 'before the installation, and when something is odd'],
      ['berth doctor --role agent --url http://10.0.0.1:8080 --token-file secret', 'a node of a cluster elsewhere'],
    ],
  },
  version: { about: 'print the version', flags: {}, positionals: [], examples: [] },
} as const satisfies Readonly<Record<string, Command>>;
export type CommandName = keyof typeof COMMANDS;

export interface Arguments {
  /** Texts as typed, by flag name (`etcd-ca`). */
  readonly flags: Readonly<Record<string, string>>;
  readonly positionals: readonly string[];
}

/** The command an argument vector names, or undefined for none. Throws UsageError for one that does not exist. */
export function commandOf(word: string | undefined): CommandName | undefined {
  if (word === undefined) return undefined;
  const found = commandNames().find((name) => name === word);
  if (found !== undefined) return found;
  const what = word.startsWith('-') ? `unknown flag ${word.replace(/=.*/, '')}` : `unknown command "${word}"`;
  throw new UsageError(`${what}${suggestion(word, commandNames())} (berth --help lists all)`);
}

/** Help for one command, or (without) the list of commands. */
export async function helpText(name?: CommandName): Promise<string> {
  const parser = name === undefined ? overview() : describe(yargs([]), name, COMMANDS[name]);
  const help = await parser.scriptName('berth').locale('en').version(false).help().wrap(100).getHelp();
  return help.replace(/\n? *\[(string|boolean)\]/g, '');
}

/**
 * Splits the arguments of one command (without its name) into flag texts and positionals. Throws UsageError for unknown or
 * repeated flags and for too many or too few positionals. Values are not looked at.
 */
export function readArguments(name: CommandName, argv: readonly string[]): Arguments {
  const command: Command = COMMANDS[name];
  const normal = argv.map(dashed);
  checkSwitches(command.flags, normal);
  const parsed: Readonly<Record<string, unknown>> = describe(yargs([]), name, command)
    .parserConfiguration({
      'camel-case-expansion': false,
      'dot-notation': false,
      'boolean-negation': false,
      'parse-numbers': false,
      'parse-positional-numbers': false,
      'short-option-groups': false,
    })
    .exitProcess(false)
    .version(false)
    .help(false)
    .parseSync(normal);
  return { flags: flagTexts(name, command, parsed), positionals: positionals(command, parsed['_']) };
}

function overview(): Argv {
  let parser = yargs([])
    .usage(
      'berth: Mesos and Marathon workloads on plain Docker hosts, operated like Kubernetes.\n\nberth COMMAND [FLAGS]',
    )
    .epilogue('berth COMMAND --help shows the flags of a command. Every flag may also be set as BERTH_<FLAG>.');
  for (const name of commandNames()) parser = parser.command(usageOf(name), COMMANDS[name].about);
  return parser;
}

/** Declares a command's flags to yargs. Values stay texts: flag.ts reads them, so that errors name the flag. */
function describe(parser: Argv, name: CommandName, command: Command): Argv {
  for (const [key, flag] of Object.entries(command.flags)) {
    parser = parser.option(flagName(key), {
      type: flag.isSwitch === true ? 'boolean' : 'string',
      group: `${flag.group}:`,
      describe: describeFlag(flag),
      ...(flag.letter === undefined ? {} : { alias: flag.letter }),
    });
  }
  for (const [line, what] of command.examples) parser = parser.example(line, what);
  return parser
    .epilogue(
      `Every flag may also be set as BERTH_<FLAG>${firstVariable(command.flags)}; --work-dir and --work_dir are the same. Durations: 500ms, 15secs, 5mins, 1m30s.`,
    )
    .usage(`berth ${usageOf(name)}\n\n${command.about}\n`);
}

function firstVariable(flags: FlagTable): string {
  const key = Object.keys(flags)[0];
  return key === undefined ? '' : ` (${variableName(key)})`;
}

function describeFlag(flag: Flag<unknown>): string {
  const what = flag.value === '' ? flag.about : `${flag.value}: ${flag.about}`;
  return flag.fallback === undefined ? what : `${what} [${flag.fallback}]`;
}

function usageOf(name: CommandName): string {
  return [name, ...COMMANDS[name].positionals].join(' ');
}

/** `--work_dir=/a_b` -> `--work-dir=/a_b` (Mesos writes flags with underscores). */
function dashed(argument: string): string {
  return argument.replace(/^--[^=]+/, (flag) => flag.replaceAll('_', '-'));
}

/** yargs would read `--wipe=yes` as false without a word. */
function checkSwitches(flags: FlagTable, argv: readonly string[]): void {
  for (const [key, flag] of Object.entries(flags)) {
    if (flag.isSwitch !== true) continue;
    const odd = argv.find((argument) => argument.startsWith(`--${flagName(key)}=`));
    if (odd !== undefined && !/=(true|false)$/.test(odd))
      throw new UsageError(`--${flagName(key)}: "${odd.slice(odd.indexOf('=') + 1)}" must be true or false`);
  }
}

function flagTexts(
  name: CommandName,
  command: Command,
  parsed: Readonly<Record<string, unknown>>,
): Record<string, string> {
  const known = new Set(Object.keys(command.flags).map(flagName));
  const letters = new Set(Object.values(command.flags).flatMap((flag) => flag.letter ?? []));
  const texts: Record<string, string> = {};
  for (const [key, value] of Object.entries(parsed)) {
    if (key === '_' || key === '$0' || letters.has(key)) continue;
    const shown = key.length === 1 ? `-${key}` : `--${key}`;
    if (!known.has(key))
      throw new UsageError(
        `unknown flag ${shown}${suggestion(key, [...known], '--')} (berth ${name} --help lists all)`,
      );
    if (Array.isArray(value)) throw new UsageError(`${shown} is given more than once`);
    texts[key] = String(value);
  }
  return texts;
}

function positionals(command: Command, words: unknown): string[] {
  const given = Array.isArray(words) ? words.map(String) : [];
  const missing = command.positionals[given.length];
  if (missing !== undefined) throw new UsageError(`${missing} is missing`);
  const extra = given[command.positionals.length];
  if (extra !== undefined) throw new UsageError(`unexpected argument "${extra}"`);
  return given;
}

function commandNames(): CommandName[] {
  return Object.keys(COMMANDS) as CommandName[];
}

/** ` (did you mean X?)` when one of the names is close. */
function suggestion(word: string, names: readonly string[], prefix = ''): string {
  const close = names
    .map((name) => ({ name, distance: editDistance(word, name) }))
    .filter(({ name, distance }) => distance <= Math.max(1, Math.floor(name.length / 4)))
    .sort((a, b) => a.distance - b.distance)[0];
  return close === undefined ? '' : `; did you mean ${prefix}${close.name}?`;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
