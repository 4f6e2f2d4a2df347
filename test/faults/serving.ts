import type { AgentHost } from '../testbed/agent-host';
import type { Testbed } from '../testbed/testbed';

/** Milliseconds between two looks. */
const PAUSE_MS = 100;
const ANSWER_MS = 2_000;

/** How many instances of a web app answer right now, each on the port that its engine has published. */
export async function answering(bed: Testbed, appId: string): Promise<number> {
  const urls = (await Promise.all(bed.hosts.map((host) => urlsOf(host, appId)))).flat();
  const answers = await Promise.all(urls.map(answers200));
  return answers.filter(Boolean).length;
}

/** Keeps count, from its start to its end, of how many instances answer. */
export class ServingWatch {
  private readonly counts: number[] = [];
  private isOver = false;
  private readonly watching: Promise<void>;

  constructor(
    private readonly bed: Testbed,
    private readonly appId: string,
  ) {
    this.watching = this.watch();
  }

  /** Ends it. Answers with the smallest count, and how often was looked. */
  async end(): Promise<{ readonly least: number; readonly looks: number }> {
    this.isOver = true;
    await this.watching;
    return { least: Math.min(...this.counts), looks: this.counts.length };
  }

  private async watch(): Promise<void> {
    while (!this.isOver) {
      this.counts.push(await this.look());
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }

  /**
   * The list of containers is a moment older than their answers: one of the list may be gone, and its successor be missing from
   * it. A second list has the successor; a real gap lasts longer than both.
   */
  private async look(): Promise<number> {
    const count = await answering(this.bed, this.appId);
    const isLess = this.counts.some((earlier) => count < earlier);
    return isLess ? Math.max(count, await answering(this.bed, this.appId)) : count;
  }
}

async function urlsOf(host: AgentHost, appId: string): Promise<string[]> {
  const prefix = `${appId.slice(1).replaceAll('/', '_')}.instance-`;
  const list = await host.docker.listContainers({ filters: { label: ['MESOS_TASK_ID'], status: ['running'] } });
  return list
    .filter(({ Labels }) => Labels['MESOS_TASK_ID']?.startsWith(prefix))
    .flatMap(({ Ports }) => Ports.slice(0, 1).map(({ PublicPort }) => `http://${host.node.address}:${PublicPort}/`));
}

async function answers200(url: string): Promise<boolean> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS) });
    await answer.arrayBuffer();
    return answer.ok;
  } catch {
    return false;
  }
}
