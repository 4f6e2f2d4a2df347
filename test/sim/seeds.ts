import { World } from './world';

/** Seeds are spread over files of this number, which jest runs side by side. More of them: npm run sim. */
const FILES = 4;
const SEEDS = 120;

/** Of wall time, for one seed on a busy machine; a run of its own takes half a second. */
const TIMEOUT_MS = 60_000;

/** The runs of one of the files, counted from 0. With SIM_SEED (one number, or several with commas) only those, in file 0. */
export function describeSeeds(file: number): void {
  const chosen = process.env['SIM_SEED'];
  const all = chosen?.split(',').map(Number) ?? Array.from({ length: SEEDS }, (_, index) => index + 1);
  const seeds = chosen === undefined ? all.filter((seed) => seed % FILES === file) : file === 0 ? all : [];
  describe('the whole cluster under trouble', () => {
    if (seeds.length === 0) return test.skip('other seeds were asked for', () => undefined);
    test.each(seeds)(
      'seed %i',
      async (seed) => {
        await new World(seed).run();
      },
      TIMEOUT_MS,
    );
  });
}
