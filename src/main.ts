#!/usr/bin/env node
import { runCli } from './cli/main';
import { processTerminal } from './cli/terminal';
import { runAgent } from './compose/agent';
import { runBackup, runRestore } from './compose/backup';
import { runDoctor } from './compose/doctor/doctor';
import { runServer, startFailure } from './compose/server';
import { UnavailableError } from './core/errors';

const terminal = processTerminal();
const interrupted = new AbortController();
const handlers = {
  server: runServer,
  agent: runAgent,
  backup: runBackup,
  restore: runRestore,
  doctor: runDoctor,
};

// The long-running commands listen for signals themselves; for the others Ctrl-C just ends what they do.
const isService = process.argv[2] === 'server' || process.argv[2] === 'agent';
if (!isService) process.once('SIGINT', () => interrupted.abort());

runCli(process.argv.slice(2), process.env, handlers, terminal, interrupted.signal).then(
  (code) => {
    // A service has closed everything by now; a timer or socket that was forgotten must not hold the machine's shutdown.
    if (isService) process.exit(code);
    process.exitCode = code;
  },
  (error: unknown) => {
    if (!(error instanceof UnavailableError)) throw error;
    terminal.err(startFailure(error));
    process.exitCode = 1;
  },
);
