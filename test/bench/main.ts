import { mkdirSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { startWorld } from '../e2e/world';
import { allocationCycles, placements } from './decisions';
import { DockerBench } from './docker-sections';
import { durablePlacements } from './durable';
import { EventStreamClient } from './event-stream';
import { failover } from './failover';
import { report, type Row, type Section } from './harness';
import { recoveryTimers } from './timers';

/** `npm run bench [-- section …]`: every figure of the design beside its goal. BENCH_ROUNDS=n: rounds of the Docker part. */
const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 10);

const SECTIONS: readonly Section[] = [
  { name: 'placement', run: placements },
  { name: 'allocation', run: allocationCycles },
  { name: 'durable', run: durablePlacements },
  { name: 'docker', run: dockerSection },
  { name: 'failover', run: failoverSection },
  { name: 'timers', run: () => recoveryTimers(ROUNDS) },
];

async function dockerSection(): Promise<Row[]> {
  const world = await startWorld();
  const events = await EventStreamClient.open(world.marathon.url);
  try {
    const bench = new DockerBench(world, events, ROUNDS);
    const idle = bench.memory('idle');
    return [
      ...(await bench.submit('host')),
      ...(await bench.submit('bridge')),
      ...(await bench.burst(50, 'host')),
      ...(await bench.burst(50, 'bridge')),
      await bench.rollingUpdate('one by one'),
      await bench.rollingUpdate('all at once'),
      await bench.replacement(),
      ...idle,
    ];
  } finally {
    events.close();
    await world.stop();
  }
}

async function failoverSection(): Promise<Row[]> {
  const world = await startWorld({ servers: 2 });
  try {
    return [await failover(world, 'SIGKILL', 5), await failover(world, 'SIGTERM', 5)];
  } finally {
    await world.stop();
  }
}

async function main(): Promise<void> {
  const wanted = process.argv.slice(2);
  const rows: Row[] = [];
  for (const section of SECTIONS) {
    if (wanted.length > 0 && !wanted.includes(section.name)) continue;
    process.stderr.write(`${section.name} ...\n`);
    rows.push(...(await section.run()));
  }
  mkdirSync('bench-results', { recursive: true });
  const machine = { cores: cpus().length, memoryGiB: Math.round(totalmem() / 2 ** 30), node: process.version };
  report(rows, machine, 'bench-results/bench.json');
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exit(1);
  },
);
