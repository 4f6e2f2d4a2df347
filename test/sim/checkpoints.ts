import type { CheckpointDocument, CheckpointStore } from '../../src/core/ports/checkpoint';
import { sleep } from '../../src/core/ports/clock';
import type { FakeClock } from '../support/fakes';
import type { Dice } from './dice';
import type { SimProcess } from './process';

/** The disk of one host: survives every crash of its agent. */
export class SimDisk {
  readonly documents = new Map<string, string>();
  readonly asides = new Map<string, string>();
  /** No write succeeds. */
  isFull = false;
  /** Documents that are older than what was to be written. */
  readonly stale = new Set<string>();

  /** Its agent can read its id. Otherwise the labels of containers are all that tells of it. */
  get knowsItsId(): boolean {
    return this.documents.get('agent')?.endsWith('}') === true && !this.documents.get('agent')?.startsWith('\u0000');
  }
}

/** An agent's way to its disk. A write that is under way when the process dies may be lost before its effect. */
export class SimCheckpoints implements CheckpointStore {
  constructor(
    private readonly disk: SimDisk,
    private readonly process: SimProcess,
    private readonly clock: FakeClock,
    private readonly dice: Dice,
  ) {}

  list(): Promise<{ readonly documents: readonly CheckpointDocument[]; readonly unreadable: readonly string[] }> {
    return this.process.call(() =>
      Promise.resolve({
        documents: [...this.disk.documents].map(([name, text]) => ({ name, text })),
        unreadable: [],
      }),
    );
  }

  write(name: string, text: string): Promise<void> {
    if (this.disk.isFull) this.disk.stale.add(name);
    return this.change(() => {
      this.disk.documents.set(name, text);
      this.disk.stale.delete(name);
    });
  }

  remove(name: string): Promise<void> {
    return this.change(() => void this.disk.documents.delete(name), true);
  }

  async setAside(name: string): Promise<string> {
    await this.change(() => {
      this.disk.asides.set(name, this.disk.documents.get(name) ?? '');
      this.disk.documents.delete(name);
    }, true);
    return `${name}.aside`;
  }

  private change(effect: () => void, needsNoSpace = false): Promise<void> {
    return this.process.call(async () => {
      if (this.disk.isFull && !needsNoSpace) throw new Error('ENOSPC: no space left on device');
      if (this.dice.hit(0.1)) await sleep(this.clock, this.dice.between(1, 50));
      if (!this.process.isAlive && this.dice.hit(0.5)) return;
      effect();
    });
  }
}
