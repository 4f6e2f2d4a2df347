import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import type { Observation } from '../checker/live/observation';
import { judge } from '../checker/live/player';
import { BED_CAPACITY, randomRun } from './random/run';

const USAGE = `usage: npm run test:faults -- --minutes M [--seed S] [--round SECONDS]
  random faults and edits on a real test bed; after each round of trouble everything must converge within a minute
       npm run test:faults -- --judge FILE
  judges a recording again
`;
const HOSTS = 5;
const DEFAULT_ROUND_SECONDS = 60;
/** An agent that is silent is unreachable after five seconds instead of fifteen. */
const SERVER_FLAGS = ['--agent-ping-timeout=1s', '--max-agent-ping-timeouts=5'];

async function main(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: 'string', default: '1' },
      seed: { type: 'string' },
      round: { type: 'string', default: String(DEFAULT_ROUND_SECONDS) },
      judge: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    say(USAGE);
    return 0;
  }
  const seed = values.seed === undefined ? Math.floor(Math.random() * 1e6) : Number(values.seed);
  const [minutes, roundSeconds] = [Number(values.minutes), Number(values.round)];
  if (![seed, minutes, roundSeconds].every((number) => number > 0)) {
    say(`--minutes, --seed and --round are numbers above 0\n${USAGE}`);
    return 2;
  }
  return values.judge === undefined ? run(seed, minutes, roundSeconds) : again(values.judge);
}

async function run(seed: number, minutes: number, roundSeconds: number): Promise<number> {
  say(`seed ${seed}, ${minutes} minutes in rounds of ${roundSeconds} s of trouble`);
  const bed = { agents: HOSTS, registry: false, faketime: true, serverFlags: SERVER_FLAGS };
  const result = await randomRun({ seed, minutes, roundSeconds, bed, say });
  const file = join(tmpdir(), `berth-faults-${seed}.jsonl`);
  writeFileSync(file, result.recording.observations.map((one) => JSON.stringify(one)).join('\n'));
  const { rounds, faults, edits, convergedMs, failure } = result;
  const slowest = (Math.max(0, ...convergedMs) / 1000).toFixed(1);
  say(`${rounds} rounds, ${faults} faults, ${edits} edits; slowest convergence ${slowest} s; recording: ${file}`);
  if (failure !== undefined) say(`FAILED, seed ${seed}:\n${failure}`);
  else say(`seed ${seed}: no rule was broken`);
  return failure === undefined ? 0 : 1;
}

function again(file: string): number {
  const observations = readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Observation);
  const hosts = new Map(Array.from({ length: HOSTS }, (_, index) => [`a${index + 1}`, BED_CAPACITY]));
  const { violation } = judge(observations, hosts, 0, `npm run test:faults -- --judge ${file}`);
  say(violation?.message ?? 'no rule was broken');
  return violation === undefined ? 0 : 1;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

main(process.argv.slice(2)).then(
  (code) => (process.exitCode = code),
  (error: unknown) => {
    say(error instanceof Error ? (error.stack ?? error.message) : String(error));
    process.exitCode = 1;
  },
);
