import { CRASH_POINTS, type CrashPoint } from '../../../src/core/ports/crash-points';
import { LEADER_KEY } from '../../../src/io/election/lease-election';
import { LIMITS } from '../../../src/core/limits';
import { at, duration, fault, leaderOf, place, type Fault } from './fault';

const POINTS = (Object.keys(CRASH_POINTS) as CrashPoint[]).filter((point) => !point.startsWith('agent.'));

/** What happens to the control plane. */
export const SERVER_FAULTS: readonly Fault[] = [
  fault({
    name: 'server killed',
    weight: 2,
    draw: (dice) => ({ server: place(dice), isLeader: dice.hit(0.5), forMs: duration(dice) }),
    begin: (stage, { server, isLeader, forMs }) => {
      const victim = isLeader ? leaderOf(stage, server) : at(stage.servers, server);
      stage.history.note(`${victim?.name} is killed`);
      victim?.crash();
      stage.later(forMs, () => victim?.start());
    },
  }),
  fault({
    name: 'server asked to end',
    weight: 1,
    draw: (dice) => ({ server: place(dice), forMs: duration(dice) }),
    begin: ({ servers, history, later }, { server, forMs }) => {
      history.note(`${at(servers, server)?.name} is asked to end`);
      at(servers, server)?.terminate();
      later(forMs, () => at(servers, server)?.start());
    },
  }),
  fault({
    name: 'server dies at a point',
    weight: 2,
    draw: (dice) => ({ point: dice.pick(POINTS) ?? '', server: place(dice), forMs: duration(dice) }),
    begin: (stage, { point, server, forMs }) => {
      const victim = leaderOf(stage, server);
      victim?.crashAt(point as CrashPoint, () => {
        stage.history.note(`${victim.name} dies at ${point}`);
        stage.later(forMs, () => victim.start());
      });
    },
  }),
  fault({
    name: 'all servers down',
    weight: 0.5,
    draw: (dice) => ({ forMs: duration(dice) }),
    begin: ({ servers, history, later }, { forMs }) => {
      history.note('all servers are killed');
      for (const server of servers) server.crash();
      later(forMs, () => {
        for (const server of servers) server.start();
      });
    },
  }),
  fault({
    name: 'server paused',
    weight: 2,
    draw: (dice) => ({
      server: place(dice),
      isLeader: dice.hit(0.8),
      forMs: dice.one(1_000, 2_500, 3 * LIMITS.leaderLeaseMs, 10_000),
    }),
    begin: (stage, { server, isLeader, forMs }) => {
      const victim = isLeader ? leaderOf(stage, server) : at(stage.servers, server);
      stage.history.note(`${victim?.name} is paused`);
      victim?.pause();
      stage.later(forMs, () => {
        stage.history.note(`${victim?.name} goes on`);
        victim?.resume();
      });
    },
  }),
  fault({
    name: 'leader key removed',
    weight: 0.5,
    draw: () => ({}),
    begin: ({ history, store }) => {
      history.note('the leader key vanishes');
      store.serverCommit([{ kind: 'delete', key: LEADER_KEY }]);
    },
  }),
  fault({
    name: 'lease revoked',
    weight: 0.5,
    draw: () => ({}),
    begin: ({ history, leases }) => {
      history.note('the lease of the leader is revoked by hand');
      leases.revokeHolder(LEADER_KEY);
    },
  }),
  fault({
    name: 'leader abdicates',
    weight: 0.5,
    draw: (dice) => ({ times: dice.one(1, 1, 1, 10), everyMs: 6_000 }),
    begin: (stage, { times, everyMs }) => {
      for (let time = 0; time < times; time++)
        stage.later(time * everyMs, () => {
          const leader = stage.servers.find((server) => server.isLeader);
          stage.history.note(`${leader?.name ?? 'nobody'} gives leadership up`);
          leader?.abdicate();
        });
    },
  }),
];
