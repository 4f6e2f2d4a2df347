import type { Sandboxes } from '../../src/core/ports/sandboxes';

/** Folders that only exist as names. */
export class SimSandboxes implements Sandboxes {
  private readonly paths = new Set<string>();

  create(frameworkId: string, taskId: string): Promise<string> {
    const path = this.pathOf(frameworkId, taskId);
    this.paths.add(path);
    return Promise.resolve(path);
  }

  pathOf(frameworkId: string, taskId: string): string {
    return `/sandboxes/${frameworkId}/${taskId}`;
  }

  list(): Promise<readonly { readonly path: string; readonly modifiedMs: number }[]> {
    return Promise.resolve([...this.paths].map((path) => ({ path, modifiedMs: 0 })));
  }

  diskUsage(): Promise<number> {
    return Promise.resolve(0);
  }

  remove(path: string): Promise<void> {
    this.paths.delete(path);
    return Promise.resolve();
  }
}
