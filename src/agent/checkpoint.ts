import { z } from 'zod';
import { messageOf } from '../core/errors';
import type { CheckpointStore } from '../core/ports/checkpoint';
import type { Logger } from '../core/ports/logger';
import { TASK_STATES, taskInfoSchema, taskStatusSchema } from '../core/records/mesos';

/** What the agent knows of one task and must know again after a crash. */
export const taskCheckpointSchema = z.looseObject({
  version: z.literal(1),
  taskId: z.string().min(1),
  frameworkId: z.string(),
  agentId: z.string(),
  /** Which containerizer runs it. */
  driver: z.string(),
  info: taskInfoSchema,
  sandbox: z.string(),
  /** `launching`: may or may not have a container; `started`: it ran; `ended`: its last state is known. */
  phase: z.enum(['launching', 'started', 'ended']),
  container: z.looseObject({ id: z.string(), name: z.string(), ipAddress: z.string().optional() }).optional(),
  /** Milliseconds since the epoch. */
  startedAtMs: z.number().optional(),
  endedAtMs: z.number().optional(),
  /** The container of an ended task is gone. */
  removed: z.boolean().optional(),
  kill: z
    .looseObject({
      requestedAtMs: z.number(),
      graceMs: z.number(),
      cause: z.enum(['requested', 'unhealthy']),
      message: z.string().optional(),
    })
    .optional(),
  /** The newest state, whether or not its update is acknowledged. */
  state: z.enum(TASK_STATES),
  latest: taskStatusSchema.optional(),
  /** Updates that are not acknowledged, oldest first. */
  updates: z.array(taskStatusSchema),
});
export type TaskCheckpoint = z.infer<typeof taskCheckpointSchema>;

const agentCheckpointSchema = z.looseObject({ version: z.literal(1), agentId: z.string().min(1) });

const AGENT = 'agent';
const TASK = 'task/';

export interface LoadedCheckpoints {
  readonly agentId?: string;
  readonly tasks: readonly TaskCheckpoint[];
  /** Where unreadable checkpoints are now. */
  readonly setAside: readonly string[];
}

/** The agent's checkpoints. Writes of one task are in order; while one is under way, later ones become one. */
export class Checkpoints {
  private readonly writes = new Map<string, Writes>();

  constructor(
    private readonly store: CheckpointStore,
    private readonly log: Logger,
  ) {}

  /** Everything that can be read. What cannot is set aside and named, and kills nothing. */
  async load(): Promise<LoadedCheckpoints> {
    const { documents, unreadable } = await this.store.list();
    const setAside: string[] = [...unreadable];
    const tasks: TaskCheckpoint[] = [];
    let agentId: string | undefined;
    for (const { name, text } of documents) {
      try {
        if (name === AGENT) agentId = agentCheckpointSchema.parse(JSON.parse(text)).agentId;
        else if (name.startsWith(TASK)) tasks.push(taskCheckpointSchema.parse(JSON.parse(text)));
      } catch (error) {
        const path = await this.store.setAside(name);
        setAside.push(path);
        this.log.error('checkpoint makes no sense', { name, path, error: messageOf(error) });
      }
    }
    for (const path of setAside) this.log.error('checkpoint set aside', { path });
    return { tasks, setAside, ...(agentId === undefined ? {} : { agentId }) };
  }

  saveAgent(agentId: string): Promise<void> {
    return this.store.write(AGENT, JSON.stringify({ version: 1, agentId }), { sync: true });
  }

  /**
   * Resolves when what `snapshot` gives, at the time of the write, is safe from a crash of the agent. A power failure ends the
   * containers too; what is then lost here is found in their labels, or the master misses the task and says so.
   */
  save(taskId: string, snapshot: () => TaskCheckpoint): Promise<void> {
    const writes = this.writes.get(taskId) ?? { running: undefined, again: undefined };
    this.writes.set(taskId, writes);
    if (writes.running === undefined) {
      writes.running = this.store.write(TASK + taskId, JSON.stringify(snapshot())).finally(() => {
        writes.running = undefined;
        if (writes.again === undefined) this.writes.delete(taskId);
      });
      return writes.running;
    }
    // The write under way took an older state; one more takes the newest, for all who came meanwhile.
    writes.again ??= writes.running
      .catch(() => undefined)
      .then(() => {
        writes.again = undefined;
        return this.save(taskId, snapshot);
      });
    return writes.again;
  }

  /** After this nothing may be saved for the task. */
  async remove(taskId: string): Promise<void> {
    for (let writes = this.writes.get(taskId); writes !== undefined; writes = this.writes.get(taskId))
      await (writes.again ?? writes.running)?.catch(() => undefined);
    await this.store.remove(TASK + taskId);
  }
}

interface Writes {
  running: Promise<void> | undefined;
  again: Promise<void> | undefined;
}
