import type { Term } from '../../src/core/ports/election';
import type { Logger } from '../../src/core/ports/logger';
import type { Records } from '../../src/core/ports/records';
import type { Seeds } from './dice';
import type { MasterDoor } from './link';
import type { SimProcess } from './process';

export interface RoleDeps {
  /** For the orchestrator: with an eye on its writes. */
  readonly records: Records;
  readonly plainRecords: Records;
  readonly term: Term;
  readonly process: SimProcess;
  readonly seeds: Seeds;
  readonly log: Logger;
}

export interface Roles {
  readonly connect: MasterDoor['connect'];
  stop(): Promise<void>;
}

/** Master and orchestrator of one term, as the composition root builds them. */
export async function startRoles(_deps: RoleDeps): Promise<Roles> {
  return {
    connect: () => {
      throw new Error('no master yet');
    },
    stop: async () => undefined,
  };
}
