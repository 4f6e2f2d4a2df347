import { createInterface } from 'node:readline';
import Docker from 'dockerode';
import type { ContainerSight, Recording } from './observation';

const RETRY_MS = 200;
const LABEL = 'MESOS_TASK_ID';
const SIGHTS: Readonly<Record<string, ContainerSight>> = {
  start: 'started',
  kill: 'stop asked',
  die: 'ended',
  destroy: 'removed',
};

interface EngineEvent {
  readonly Action: string;
  readonly timeNano: number;
  readonly Actor: { readonly Attributes: Readonly<Record<string, string>> };
}

/** Records what happens to Berth's containers on one engine, by the engine's own clock. What it missed while dockerd was away is told late. */
export class EngineObserver {
  private readonly docker: Docker;
  private readonly end = new AbortController();
  /** Task ids of containers that exist, and whether they run. */
  private readonly seen = new Map<string, boolean>();
  private newestMs = 0;
  private loop: Promise<void> | undefined;

  constructor(
    private readonly host: string,
    socketPath: string,
    private readonly recording: Recording,
  ) {
    this.docker = new Docker({ socketPath });
  }

  start(): void {
    this.loop ??= this.follow();
  }

  async stop(): Promise<void> {
    this.end.abort();
    await this.loop;
  }

  private async follow(): Promise<void> {
    const { signal } = this.end;
    while (!signal.aborted) {
      try {
        const stream = await this.docker.getEvents({
          abortSignal: signal,
          filters: { type: ['container'], event: Object.keys(SIGHTS), label: [LABEL] },
          ...(this.newestMs === 0 ? {} : { since: Math.floor(this.newestMs / 1000) }),
        });
        await this.catchUp();
        for await (const line of createInterface({ input: stream })) this.hear(JSON.parse(line) as EngineEvent);
      } catch {
        // The engine is away; asked again below.
      }
      if (!signal.aborted) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  private hear({ Action, timeNano, Actor }: EngineEvent): void {
    const atMs = timeNano / 1e6;
    const what = SIGHTS[Action];
    const taskId = Actor.Attributes[LABEL];
    if (what === undefined || taskId === undefined || atMs <= this.newestMs) return;
    this.newestMs = atMs;
    this.tell(taskId, what, atMs);
  }

  private async catchUp(): Promise<void> {
    const list = await this.docker.listContainers({
      all: true,
      filters: { label: [LABEL] },
      abortSignal: AbortSignal.any([this.end.signal, AbortSignal.timeout(10_000)]),
    });
    const now = new Map(list.map(({ Labels, State }) => [Labels[LABEL] ?? '', State === 'running']));
    for (const [taskId, wasRunning] of this.seen) {
      if (wasRunning && now.get(taskId) !== true) this.tell(taskId, 'ended', Date.now());
      if (!now.has(taskId)) this.tell(taskId, 'removed', Date.now());
    }
    for (const [taskId, runs] of now) if (runs && !this.seen.has(taskId)) this.tell(taskId, 'started', Date.now());
  }

  private tell(taskId: string, what: ContainerSight, epochMs: number): void {
    const known = this.seen.get(taskId);
    // The list and the events overlap.
    if (what === 'started' && known === true) return;
    if (what === 'ended' && known === false) return;
    if (what === 'removed') this.seen.delete(taskId);
    else if (what !== 'stop asked') this.seen.set(taskId, what === 'started');
    this.recording.addAt(epochMs, { kind: 'container', host: this.host, taskId, what });
  }
}
