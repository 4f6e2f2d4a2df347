import { z } from 'zod';
import type { TaskUsage } from '../../core/ports/task-driver';

const statsSchema = z.looseObject({
  cpu_stats: z.looseObject({ cpu_usage: z.looseObject({ total_usage: z.number() }) }),
  memory_stats: z.looseObject({
    usage: z.number().optional(),
    limit: z.number().optional(),
    stats: z.record(z.string(), z.number()).optional(),
  }),
});

/** Limits above this are the engine's way to say that there is none (the machine's memory or a huge number). */
const NO_LIMIT_BYTES = 2 ** 50;

/** What `docker stats` says, as the kubelet counts it: memory without the inactive file cache. Undefined: not running. */
export function usageOf(stats: unknown): TaskUsage | undefined {
  const parsed = statsSchema.safeParse(stats);
  if (!parsed.success) return undefined;
  const { usage, limit, stats: detail } = parsed.data.memory_stats;
  if (usage === undefined) return undefined;
  const cache = detail?.['total_inactive_file'] ?? detail?.['inactive_file'] ?? 0;
  return {
    cpuSeconds: parsed.data.cpu_stats.cpu_usage.total_usage / 1e9,
    memoryBytes: Math.max(0, usage - cache),
    ...(limit === undefined || limit > NO_LIMIT_BYTES ? {} : { memoryLimitBytes: limit }),
  };
}
