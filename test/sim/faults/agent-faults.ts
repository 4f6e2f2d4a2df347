import { CRASH_POINTS, type CrashPoint } from '../../../src/core/ports/crash-points';
import { goodNetwork } from '../link';
import type { AgentNode } from '../agent-node';
import { at, duration, fault, place, type Fault, type Stage } from './fault';

const POINTS = (Object.keys(CRASH_POINTS) as CrashPoint[]).filter((point) => point.startsWith('agent.'));

function startLater({ later, history }: Stage, agent: AgentNode, forMs: number): void {
  later(forMs, () => {
    if (!agent.isUp) history.note(`${agent.name}: agent starts`);
    agent.start();
  });
}

/** What is left of a document after trouble with its disk. */
function damaged(text: string, way: string): string | undefined {
  if (way === 'missing') return undefined;
  return way === 'truncated' ? text.slice(0, text.length / 2) : '\u0000\u0000{"version":1,"taskId":42}';
}

/** What happens to agents, their machines and their network. */
export const AGENT_FAULTS: readonly Fault[] = [
  fault({
    name: 'agent killed',
    weight: 1.5,
    draw: (dice) => ({ agent: place(dice), taskEnds: dice.hit(0.4), task: place(dice), forMs: duration(dice) }),
    begin: (stage, { agent, taskEnds, task, forMs }) => {
      const victim = at(stage.agents, agent);
      if (victim === undefined) return;
      stage.history.note(`${victim.name}: agent killed`);
      victim.crash();
      startLater(stage, victim, forMs);
      const container = at(victim.host.running(), task);
      if (taskEnds && container !== undefined)
        stage.later(forMs / 2, () => victim.host.end(container, 1, 'ended while the agent was away'));
    },
  }),
  fault({
    name: 'agent dies at a point',
    weight: 1.5,
    draw: (dice) => ({ point: dice.pick(POINTS) ?? '', agent: place(dice), forMs: duration(dice) }),
    begin: (stage, { point, agent, forMs }) => {
      const victim = at(stage.agents, agent);
      victim?.crashAt(point as CrashPoint, () => {
        stage.history.note(`${victim.name}: agent dies at ${point}`);
        startLater(stage, victim, forMs);
      });
    },
  }),
  fault({
    name: 'agent paused',
    weight: 0.7,
    draw: (dice) => ({ agent: place(dice), forMs: dice.one(1_000, 4_000, 10_000, 30_000) }),
    begin: (stage, { agent, forMs }) => {
      const victim = at(stage.agents, agent);
      stage.history.note(`${victim?.name}: agent paused`);
      victim?.pause();
      stage.later(forMs, () => {
        stage.history.note(`${victim?.name}: agent goes on`);
        victim?.resume();
      });
    },
  }),
  fault({
    name: 'checkpoint damaged',
    weight: 0.7,
    draw: (dice) => ({
      agent: place(dice),
      document: place(dice),
      way: dice.one('truncated', 'garbage', 'missing'),
      forMs: duration(dice),
    }),
    begin: (stage, { agent, document, way, forMs }) => {
      const victim = at(stage.agents, agent);
      if (victim === undefined) return;
      victim.crash();
      const { documents, knowsItsId } = victim.host.disk;
      // Without any container of its own an agent that has lost its id is a new one.
      const names = [...documents.keys()].filter((name) => name !== 'agent' || victim.host.running().length > 0);
      const name = knowsItsId ? at(names, document) : undefined;
      if (name !== undefined) {
        const text = damaged(documents.get(name) ?? '', way);
        stage.history.note(`${victim.name}: agent killed, checkpoint ${name} ${way}`);
        if (text === undefined) documents.delete(name);
        else documents.set(name, text);
      }
      startLater(stage, victim, forMs);
    },
  }),
  fault({
    name: 'disk full',
    weight: 0.5,
    draw: (dice) => ({ agent: place(dice), forMs: duration(dice) }),
    begin: (stage, { agent, forMs }) => {
      const victim = at(stage.agents, agent);
      if (victim === undefined) return;
      stage.history.note(`${victim.name}: disk full`);
      victim.host.disk.isFull = true;
      stage.later(forMs, () => (victim.host.disk.isFull = false));
    },
  }),
  fault({
    name: 'machine loses power',
    weight: 0.5,
    draw: (dice) => ({ agent: place(dice), forMs: duration(dice) }),
    begin: (stage, { agent, forMs }) => {
      const victim = at(stage.agents, agent);
      if (victim === undefined) return;
      stage.history.note(`${victim.name} loses power`);
      victim.powerCut();
      startLater(stage, victim, forMs);
    },
  }),
  fault({
    name: 'connection breaks',
    weight: 0.7,
    draw: (dice) => ({ agent: place(dice) }),
    begin: ({ agents, history }, { agent }) => {
      history.note(`${at(agents, agent)?.name}: connection breaks`);
      at(agents, agent)?.breakConnection();
    },
  }),
  fault({
    name: 'network cut',
    weight: 1.5,
    draw: (dice) => ({
      agent: place(dice),
      way: dice.one('both', 'both', 'up', 'down'),
      most: dice.hit(0.15),
      forMs: duration(dice),
    }),
    begin: ({ agents, history, later }, { agent, way, most, forMs }) => {
      const spared = at(agents, agent);
      const victims = agents.filter((candidate) => (candidate === spared) !== most);
      history.note(`${victims.map(({ name }) => name).join(', ')}: network cut (${way})`);
      for (const { network } of victims) Object.assign(network, { cutUp: way !== 'down', cutDown: way !== 'up' });
      later(forMs, () => {
        history.note(`${victims.map(({ name }) => name).join(', ')}: network back`);
        for (const { network } of victims) Object.assign(network, { cutUp: false, cutDown: false });
      });
    },
  }),
  fault({
    name: 'bad network',
    weight: 1,
    draw: (dice) => ({
      agent: place(dice),
      slow: dice.one(0, 0.3, 0.9),
      loseCall: dice.one(0, 0.2),
      loseAnswer: dice.one(0, 0.2),
      twice: dice.one(0, 0.2),
      forMs: duration(dice),
    }),
    begin: ({ agents, history, later }, { agent, forMs, ...trouble }) => {
      const victim = at(agents, agent);
      if (victim === undefined) return;
      history.note(`${victim.name}: network ${JSON.stringify(trouble)}`);
      Object.assign(victim.network, trouble);
      later(forMs, () => {
        const { cutUp, cutDown } = victim.network;
        Object.assign(victim.network, { ...goodNetwork(), cutUp, cutDown });
      });
    },
  }),
];
