import { noTrouble, type StoreTrouble } from '../store-client';
import { at, duration, fault, leaderOf, place, type Fault, type Stage } from './fault';

/** For all servers, for so long. */
function forAll(stage: Stage, forMs: number, trouble: Partial<StoreTrouble>, over: Partial<StoreTrouble>): void {
  for (const server of stage.servers) Object.assign(server.trouble, trouble);
  stage.later(forMs, () => {
    for (const server of stage.servers) Object.assign(server.trouble, over);
  });
}

/** What happens to etcd, and to the way to it. */
export const STORE_FAULTS: readonly Fault[] = [
  fault({
    name: 'bad way to the store',
    weight: 1.5,
    draw: (dice) => {
      const share = () => dice.one(0, 0, 0.05, 0.3);
      return {
        server: place(dice),
        slow: dice.one(0, 0.1, 0.8),
        failBefore: share(),
        failAfter: share(),
        late: share(),
        endWatch: dice.one(0, 0.05),
        forMs: duration(dice),
      };
    },
    begin: ({ servers, history, later }, { server, forMs, ...trouble }) => {
      const victim = at(servers, server);
      if (victim === undefined) return;
      history.note(`${victim.name} has store trouble ${JSON.stringify(trouble)}`);
      Object.assign(victim.trouble, trouble);
      const { away, noSpace, slowWrites, mute } = victim.trouble;
      later(forMs, () => Object.assign(victim.trouble, { ...noTrouble(), away, noSpace, slowWrites, mute }));
    },
  }),
  fault({
    name: 'store away',
    weight: 1,
    draw: (dice) => ({
      from: dice.one('all', 'leader', 'one'),
      server: place(dice),
      compacts: dice.hit(0.3),
      forMs: dice.one(300, 3_000, 10_000, 60_000),
    }),
    begin: (stage, { from, server, compacts, forMs }) => {
      const one = from === 'leader' ? leaderOf(stage, server) : at(stage.servers, server);
      const servers = from === 'all' ? stage.servers : stage.servers.filter((candidate) => candidate === one);
      stage.history.note(`${servers.map(({ name }) => name).join(', ')} cannot reach the store`);
      for (const cut of servers) cut.trouble.away = true;
      stage.later(forMs, () => {
        stage.history.note('the store is back');
        for (const cut of servers) cut.trouble.away = false;
      });
      if (compacts) stage.store.compact(stage.store.revision());
    },
  }),
  fault({
    name: 'store restarted',
    weight: 0.5,
    draw: (dice) => ({ compacts: dice.hit(0.3), forMs: dice.one(1_000, 10_000) }),
    begin: (stage, { compacts, forMs }) => {
      stage.history.note('all members of the store restart');
      forAll(stage, forMs, { away: true }, { away: false });
      for (const server of stage.servers) server.breakWatches();
      if (compacts) stage.store.compact(stage.store.revision());
    },
  }),
  fault({
    name: 'slow writes',
    weight: 0.4,
    draw: (dice) => ({ forMs: dice.one(5_000, 30_000) }),
    begin: (stage, { forMs }) => {
      stage.history.note('every write takes 1 to 5 s');
      forAll(stage, forMs, { slowWrites: true }, { slowWrites: false });
    },
  }),
  fault({
    name: 'no space',
    weight: 0.5,
    draw: (dice) => ({ forMs: dice.one(3_000, 10_000, 45_000) }),
    begin: (stage, { forMs }) => {
      stage.history.note('the database is full');
      forAll(stage, forMs, { noSpace: true }, { noSpace: false });
    },
  }),
  fault({
    name: 'compaction under watches',
    weight: 0.5,
    draw: (dice) => ({ slow: dice.one(0.3, 0.8), forMs: 3_000 }),
    begin: (stage, { slow, forMs }) => {
      forAll(stage, forMs, { slow, endWatch: 0.2 }, { slow: 0, endWatch: 0 });
      for (const ms of [0, 500, 1_000, 2_000]) stage.later(ms, () => stage.store.compact(stage.store.revision()));
      stage.history.note('the store is compacted again and again');
    },
  }),
  fault({
    name: 'silent watches',
    weight: 0.5,
    draw: (dice) => ({ server: place(dice), ofAll: dice.hit(0.3), forMs: duration(dice) }),
    begin: (stage, { server, ofAll, forMs }) => {
      const victims = ofAll ? stage.servers : stage.servers.filter((one) => one === at(stage.servers, server));
      stage.history.note(`watches of ${victims.map(({ name }) => name).join(', ')} are silent`);
      for (const victim of victims) victim.trouble.mute = true;
      stage.later(forMs, () => {
        for (const victim of victims) victim.trouble.mute = false;
      });
    },
  }),
];
