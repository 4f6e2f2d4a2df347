import { Testbed, type TestbedOptions } from '../testbed/testbed';
import { cleanSlate } from './cluster';
import { Witness } from './witness';

/**
 * One bed for all tests of a file, with the checker looking on: after each test all faults end, the apps go, and no rule may have been
 * broken; after the last nothing of the bed may be left.
 */
export function onWatchedBed(options: TestbedOptions, isUp: (bed: Testbed) => void): void {
  let bed: Testbed;
  let witness: Witness;
  beforeAll(async () => {
    bed = await Testbed.up(options);
    witness = await Witness.of(bed);
    isUp(bed);
  });
  afterEach(async () => {
    await cleanSlate(bed);
    witness.check();
  });
  afterAll(async () => {
    await witness.stop();
    await bed.down();
    expect(bed.leftovers()).toEqual([]);
  });
}
