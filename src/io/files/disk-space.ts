import { statfs } from 'node:fs/promises';
import type { Gauge, Metrics } from '../../core/ports/metrics';

/**
 * Space on the disks that an agent lives of. A scrape shows what was measured at the one before, so that it never waits for a disk
 * that hangs; a disk that cannot be looked at (it is not in our container) has no series.
 */
export class DiskSpace {
  private readonly size: Gauge;
  private readonly available: Gauge;
  private readonly folders = new Map<string, () => Promise<string>>();
  /** Disks that have not answered yet: never asked twice at once. */
  private readonly asked = new Set<string>();

  constructor(metrics: Metrics) {
    const labels = ['disk'];
    this.size = metrics.gauge({ name: 'berth_agent_disk_size_bytes', help: 'Size of a disk the agent uses.', labels });
    this.available = metrics.gauge({
      name: 'berth_agent_disk_available_bytes',
      help: 'Space on that disk that is left for ordinary users.',
      labels,
    });
    metrics.onCollect(() => void this.measure());
  }

  /**
   * @param disk its name in metrics: `work`, `docker`
   * @param find where it is; asked again at the next scrape when it rejects
   */
  async watch(disk: string, find: () => Promise<string>): Promise<void> {
    let known: string | undefined;
    const folder = async () => (known ??= await find());
    this.folders.set(disk, folder);
    await this.measureOne(disk, folder);
  }

  /** Resolves when every disk has answered that is not stuck. */
  async measure(): Promise<void> {
    await Promise.all([...this.folders].map(([disk, folder]) => this.measureOne(disk, folder)));
  }

  private async measureOne(disk: string, folder: () => Promise<string>): Promise<void> {
    if (this.asked.has(disk)) return;
    this.asked.add(disk);
    try {
      const { blocks, bavail, bsize } = await statfs(await folder());
      this.size.set(blocks * bsize, { disk });
      this.available.set(bavail * bsize, { disk });
    } catch {
      this.size.remove({ disk });
      this.available.remove({ disk });
    } finally {
      this.asked.delete(disk);
    }
  }
}
