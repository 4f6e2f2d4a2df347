import { portsOf } from '../../checker/hosts';
import { goodEngine } from '../driver';
import { at, duration, fault, place, type Fault } from './fault';

/** What happens to Docker and to containers. */
export const ENGINE_FAULTS: readonly Fault[] = [
  fault({
    name: 'engine fails',
    weight: 1,
    draw: (dice) => ({
      agent: place(dice),
      failPull: dice.one(0, 0.3),
      failStart: dice.one(0, 0.5),
      nameTaken: dice.one(0, 0, 0.3),
      endsSoon: dice.one(0, 0, 0.7),
      forMs: duration(dice),
    }),
    begin: ({ agents, history, later }, { agent, forMs, ...trouble }) => {
      const victim = at(agents, agent);
      if (victim === undefined) return;
      history.note(`${victim.name}: engine ${JSON.stringify(trouble)}`);
      Object.assign(victim.engine, trouble);
      later(forMs, () => Object.assign(victim.engine, { ...goodEngine(), state: victim.engine.state }));
    },
  }),
  fault({
    name: 'engine hangs',
    weight: 0.6,
    draw: (dice) => ({ agent: place(dice), forMs: dice.one(3_000, 15_000, 45_000) }),
    begin: ({ agents, history, later }, { agent, forMs }) => {
      const victim = at(agents, agent);
      if (victim === undefined) return;
      history.note(`${victim.name}: engine hangs`);
      victim.engine.state = 'hangs';
      later(forMs, () => (victim.engine.state = 'up'));
    },
  }),
  fault({
    name: 'engine restarts',
    weight: 0.6,
    draw: (dice) => ({ agent: place(dice), isLive: dice.hit(0.5), forMs: dice.one(1_000, 10_000) }),
    begin: ({ agents, history, later }, { agent, isLive, forMs }) => {
      const victim = at(agents, agent);
      if (victim === undefined) return;
      history.note(`${victim.name}: engine restarts, ${isLive ? 'containers live on' : 'containers end'}`);
      victim.engine.state = 'down';
      if (!isLive) for (const container of victim.host.running()) victim.host.end(container, 137, 'engine restarted');
      later(forMs, () => (victim.engine.state = 'up'));
    },
  }),
  fault({
    name: 'port taken',
    weight: 0.5,
    draw: (dice) => ({ agent: place(dice), port: dice.one(31_000, 31_005, 31_500), forMs: duration(dice) }),
    begin: ({ agents, history, later }, { agent, port, forMs }) => {
      const host = at(agents, agent)?.host;
      const isFree = host?.running().every(({ info }) => !portsOf(info).includes(port));
      if (host === undefined || isFree !== true) return;
      history.note(`${host.name}: a stranger takes port ${port}`);
      host.strangerPorts.add(port);
      later(forMs, () => host.strangerPorts.delete(port));
    },
  }),
  fault({
    name: 'container',
    weight: 2,
    draw: (dice) => ({
      agent: place(dice),
      container: place(dice),
      fate: dice.one('exits', 'is removed', 'is unhealthy', 'is stopped by hand', 'runs out of memory'),
      code: dice.one(0, 1, 139),
      forMs: duration(dice),
    }),
    begin: ({ agents, history, rules, later }, { agent, container: index, fate, code, forMs }) => {
      const host = at(agents, agent)?.host;
      const container = at(host?.running() ?? [], index);
      if (host === undefined || container === undefined) return;
      history.note(`${host.name}: container ${container.taskId} ${fate}`);
      if (fate === 'exits') host.end(container, code, 'ended by itself');
      if (fate === 'is stopped by hand') host.end(container, 143, 'stopped by hand');
      if (fate === 'runs out of memory') host.end(container, exitCodeOf(code), 'out of memory', true);
      // Of a container that nothing tells of any more, neither engine nor disk, nobody can know that it has run.
      if (fate === 'is removed' && host.disk.stale.has(`task/${container.taskId}`))
        host.end(container, code, 'removed');
      else if (fate === 'is removed') {
        rules.wasRemoved(container);
        host.remove(container);
      }
      if (fate !== 'is unhealthy') return;
      rules.becameUnhealthy(container);
      container.healthy = false;
      later(forMs, () => (container.healthy = true));
    },
  }),
];

/** What the kernel killed may have been a child: then the task ends as it likes. */
function exitCodeOf(code: number): number {
  return code === 0 ? 0 : 137;
}
