import { appStatus } from '../../src/orchestrator/app-status';
import type { App } from '../../src/core/records/app';
import { World } from './world';

/** Fields of an app's record that a newer version has written, and that this one does not know. */
describe('fields of a newer version', () => {
  let world: World;
  beforeEach(async () => {
    world = new World();
    await world.startRecords();
    await world.groups.apply([{ kind: 'put', mode: 'any', spec: { id: '/web', cmd: 'sleep 1' } }]);
    await rewrite((app) => ({
      ...app,
      future: 'record',
      metadata: { ...app.metadata, future: 'metadata' },
      spec: { ...app.spec, future: 'spec' },
      status: { ...app.status, future: 'status', launchQueue: undefined },
    }));
  });
  afterEach(() => world.end());

  const stored = () => {
    const app = world.app('/web');
    if (app === undefined) throw new Error('no /web');
    return app;
  };
  async function rewrite(change: (app: App) => App): Promise<void> {
    const { path, record } = stored();
    await world.records.write([{ op: 'put', kind: 'App', path, record: change(record) }]);
  }

  test('are kept when a user changes the app', async () => {
    await world.groups.apply([{ kind: 'put', mode: 'any', spec: { ...stored().record.spec, instances: 3 } }], {
      force: true,
    });
    expect(stored().record).toMatchObject({
      future: 'record',
      metadata: { future: 'metadata' },
      spec: { future: 'spec', instances: 3 },
      status: { future: 'status' },
    });
  });

  test('are gone with an app that is deleted and made anew', async () => {
    await rewrite((app) => ({ ...app, metadata: { ...app.metadata, deletionTimestamp: '2026-01-01T00:00:00.000Z' } }));
    await world.groups.apply([{ kind: 'put', mode: 'any', spec: { id: '/web', cmd: 'sleep 2' } }], { force: true });
    const { record } = stored();
    expect(record.metadata.deletionTimestamp).toBeUndefined();
    expect(record.spec).not.toHaveProperty('future');
    expect(record).not.toHaveProperty('future');
  });

  test('are kept in the status, while what is known is what holds now', () => {
    const { record } = stored();
    const queue = { count: 1, message: 'waits' } as never;
    const app: App = { ...record, status: { ...record.status, tasksRunning: 7, launchQueue: queue } };
    const nothing = { views: [], launchQueue: undefined, lastTaskFailure: undefined, rollouts: [], nowMs: 0 };
    const status = appStatus({ app, ...nothing });
    expect(status).toMatchObject({ future: 'status', tasksRunning: 0 });
    expect(status).not.toHaveProperty('launchQueue');
  });
});
