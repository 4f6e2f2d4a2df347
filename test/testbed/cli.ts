import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { BedNode } from './network';
import { Testbed } from './testbed';
import { FAULTS } from './fault-words';
import { healAll } from './faults/heal';

const USAGE = `usage: npm run testbed -- COMMAND
  up [AGENTS]                 3 etcd members, 3 servers, 5 agents (or so many); prints where everything is
  down [SLOT|all]             ends it and removes every trace
  status [SLOT]               what runs, who leads
  shell NODE [SLOT]           a shell on e1, s2, a3 …; DOCKER_HOST and ETCDCTL_ENDPOINTS are set
  fault NAME [ARGUMENTS]      makes a fault; without a name: lists them
  heal [SLOT]                 ends all faults
`;

async function main(words: readonly string[]): Promise<number> {
  const [command = '', ...args] = words;
  const commands: Readonly<Record<string, (args: readonly string[]) => Promise<number>>> = {
    up,
    down,
    status,
    shell,
    fault,
    heal,
  };
  const run = commands[command];
  if (run === undefined) return complain(USAGE);
  return run(args);
}

async function up([agents]: readonly string[]): Promise<number> {
  const startedMs = performance.now();
  const count = agents === undefined ? 5 : Number(agents);
  if (!Number.isInteger(count) || count < 0 || count > 50)
    return complain(`up: ${agents} is not a number of agents (0 to 50)\n`);
  const bed = await Testbed.up({ agents: count, keep: true });
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  say(`test bed ${bed.slot} is up after ${seconds} s`);
  say(`  Marathon API  ${bed.servers.map(({ url }) => url).join(' ')}`);
  say(`  token         ${join(bed.dir, 'token')}`);
  say(`  kubectl       KUBECONFIG=${bed.servers[0]?.kubeconfig}`);
  say(`  etcd          ${bed.etcd.map(({ endpoint }) => endpoint).join(',')}`);
  say(`  registry      ${bed.registry.host} (login in ${bed.registry.dockerConfig})`);
  say(`  logs          ${join(bed.dir, '*', '*.log')}`);
  say(
    `  try           curl -H "authorization: Bearer $(cat ${join(bed.dir, 'token')})" ${bed.servers[0]?.url}/v1/status`,
  );
  return 0;
}

async function down([which]: readonly string[]): Promise<number> {
  const slots = which === 'all' ? Testbed.slots() : [slotOf(which)];
  for (const slot of slots) {
    const bed = Testbed.attach(slot);
    await bed.down();
    const left = bed.leftovers();
    if (left.length > 0) return complain(`test bed ${slot} is down, but this is left: ${left.join(', ')}\n`);
    say(`test bed ${slot} is down; nothing is left`);
  }
  return 0;
}

async function status([which]: readonly string[]): Promise<number> {
  const bed = Testbed.attach(slotOf(which));
  for (const { name, pid } of bed.processes()) say(`${name.padEnd(16)} ${pid === 0 ? 'does not run' : `pid ${pid}`}`);
  const leader = await bed.leader(5_000).catch(() => undefined);
  say(`leader           ${leader?.node.name ?? 'nobody'}`);
  const running = [...(await bed.containers())].map(([host, found]) => `${host}: ${found.length}`);
  say(`containers       ${running.join(', ')}`);
  return 0;
}

async function shell([name, which]: readonly string[]): Promise<number> {
  const bed = Testbed.attach(slotOf(which));
  const node = nodeOf(bed, name);
  const env = {
    ...process.env,
    PS1: `${node.name}# `,
    DOCKER_HOST: `unix://${join(node.dir, 'docker.sock')}`,
    ETCDCTL_API: '3',
    ETCDCTL_ENDPOINTS: bed.etcd.map(({ endpoint }) => endpoint).join(','),
    BERTH_TOKEN_FILE: join(bed.dir, 'token'),
  };
  const { status: code } = spawnSync('nsenter', [`--net=/run/netns/${node.netns}`, 'sh'], { stdio: 'inherit', env });
  return code ?? 1;
}

async function fault([name, ...args]: readonly string[]): Promise<number> {
  const known = name === undefined ? undefined : FAULTS.get(name);
  if (known === undefined) {
    const list = [...FAULTS].map(([word, { usage, about }]) => `  ${`${word} ${usage}`.padEnd(28)} ${about}`);
    return complain(`${name === undefined ? '' : `there is no fault ${name}\n`}faults:\n${list.join('\n')}\n`);
  }
  const bed = Testbed.attach(slotOf(undefined));
  await known.make(bed, (word) => nodeOf(bed, word), args);
  say(`done: ${[name, ...args].join(' ')}; npm run testbed -- heal ends it`);
  return 0;
}

async function heal([which]: readonly string[]): Promise<number> {
  await healAll(Testbed.attach(slotOf(which)));
  say('healed');
  return 0;
}

/** The slot that was named, or the only one that is up. */
function slotOf(word: string | undefined): number {
  if (word !== undefined) return Number(word);
  const slots = Testbed.slots();
  const [only] = slots;
  if (only === undefined) throw new Error('no test bed is up (npm run testbed -- up)');
  if (slots.length > 1) throw new Error(`several test beds are up: name one of ${slots.join(', ')}`);
  return only;
}

function nodeOf(bed: Testbed, name: string | undefined): BedNode {
  const node = bed.nodes().find((candidate) => candidate.name === name);
  if (node === undefined)
    throw new Error(
      `there is no node ${name ?? ''}: ${bed
        .nodes()
        .map((candidate) => candidate.name)
        .join(', ')}`,
    );
  return node;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function complain(text: string): number {
  process.stderr.write(text);
  return 2;
}

main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`testbed: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  },
);
