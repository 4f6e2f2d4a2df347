import { MemoryStore } from '../../src/io/memory/store';
import { describeStore } from './store';

describeStore('memory', async () => {
  const store = new MemoryStore();
  return { store, compact: async (revision) => store.compact(revision), close: async () => undefined };
});
