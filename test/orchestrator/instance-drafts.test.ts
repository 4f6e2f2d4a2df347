import { UnavailableError } from '../../src/core/errors';
import { sleep } from '../../src/core/ports/clock';
import type { StoreFaults } from '../../src/io/memory/store';
import { World } from './world';

/** An answer is lost, and the mirror hears of the effect only later. */
function unheard(world: () => World): { readonly faults: StoreFaults; readonly written: Set<string> } {
  const written = new Set<string>();
  let lost = 0;
  return {
    written,
    faults: {
      after: ({ writes = [] }) => {
        const instances = writes.filter(({ key }) => key.includes('/instances/'));
        for (const { key } of instances) written.add(key);
        if (instances.length > 0 && lost++ === 0) throw new UnavailableError('store');
      },
      deliver: () => (lost === 1 ? sleep(world().clock, 700) : undefined),
    },
  };
}

test('instances whose write has an unknown outcome are not made twice', async () => {
  const { faults, written } = unheard(() => world);
  const world: World = new World({ faults });
  await world.start([{ id: 'a1' }]);
  await world.put({ id: '/web', instances: 3 });
  await world.run(5_000);
  expect(world.running('/web')).toHaveLength(3);
  expect(written.size).toBe(3);
  await world.end();
});
