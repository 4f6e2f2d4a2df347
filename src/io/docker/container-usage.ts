import { z } from 'zod';
import type { TaskUsage } from '../../core/ports/task-driver';

const statsSchema = z.looseObject({
  cpu_stats: z.looseObject({
    cpu_usage: z.looseObject({ total_usage: z.number() }),
    throttling_data: z.looseObject({ throttled_time: z.number().optional() }).nullish(),
  }),
  memory_stats: z.looseObject({
    usage: z.number().optional(),
    limit: z.number().optional(),
    stats: z.record(z.string(), z.number()).optional(),
  }),
  networks: z.record(z.string(), z.looseObject({ rx_bytes: z.number(), tx_bytes: z.number() })).nullish(),
  blkio_stats: z
    .looseObject({
      io_service_bytes_recursive: z.array(z.looseObject({ op: z.string(), value: z.number() })).nullish(),
    })
    .nullish(),
  pids_stats: z.looseObject({ current: z.number().optional() }).nullish(),
});

type Stats = z.infer<typeof statsSchema>;

/** Limits above this are the engine's way to say that there is none (the machine's memory or a huge number). */
const NO_LIMIT_BYTES = 2 ** 50;

/** What `docker stats` says, as the kubelet counts it: memory without the inactive file cache. Undefined: not running. */
export function usageOf(stats: unknown): TaskUsage | undefined {
  const parsed = statsSchema.safeParse(stats);
  if (!parsed.success) return undefined;
  const { cpu_stats: cpu, memory_stats: memory, pids_stats: pids } = parsed.data;
  if (memory.usage === undefined) return undefined;
  const cache = memory.stats?.['total_inactive_file'] ?? memory.stats?.['inactive_file'] ?? 0;
  const throttledNanoseconds = cpu.throttling_data?.throttled_time;
  return {
    cpuSeconds: cpu.cpu_usage.total_usage / 1e9,
    memoryBytes: Math.max(0, memory.usage - cache),
    ...(memory.limit === undefined || memory.limit > NO_LIMIT_BYTES ? {} : { memoryLimitBytes: memory.limit }),
    ...(throttledNanoseconds === undefined ? {} : { cpuThrottledSeconds: throttledNanoseconds / 1e9 }),
    ...networkOf(parsed.data),
    ...diskOf(parsed.data),
    ...(pids?.current === undefined ? {} : { processes: pids.current }),
  };
}

function networkOf({ networks }: Stats): Pick<TaskUsage, 'networkReceivedBytes' | 'networkSentBytes'> {
  const interfaces = Object.values(networks ?? {});
  if (interfaces.length === 0) return {};
  return {
    networkReceivedBytes: interfaces.reduce((sum, { rx_bytes: bytes }) => sum + bytes, 0),
    networkSentBytes: interfaces.reduce((sum, { tx_bytes: bytes }) => sum + bytes, 0),
  };
}

/** The engine says nothing at all (null) until the container has touched a device: that is 0. */
function diskOf({ blkio_stats: devices }: Stats): Pick<TaskUsage, 'diskReadBytes' | 'diskWrittenBytes'> {
  if (devices === undefined || devices === null) return {};
  const entries = devices.io_service_bytes_recursive ?? [];
  const sumOf = (wanted: string) =>
    entries.reduce((sum, { op, value }) => (op.toLowerCase() === wanted ? sum + value : sum), 0);
  return { diskReadBytes: sumOf('read'), diskWrittenBytes: sumOf('write') };
}
