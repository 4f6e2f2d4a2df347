import { existsSync, readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { dirname } from 'node:path';
import Docker from 'dockerode';
import { startDocker } from '../../support/docker';
import { importBusybox } from '../../support/images';

test('the private engine runs a container, keeps it over kill -9, and leaves nothing behind', async () => {
  const engine = await startDocker();
  const docker = new Docker({ socketPath: engine.socketPath });
  try {
    await importBusybox(engine.socketPath, 'berth/bb:1');
    const container = await docker.createContainer({ Image: 'berth/bb:1', Cmd: ['sleep', '300'] });
    await container.start();
    const before = await container.inspect();

    await engine.kill9();
    await expect(docker.ping()).rejects.toThrow();
    await engine.restart();

    const after = await container.inspect();
    expect(after.State.Running).toBe(true);
    expect(after.State.Pid).toBe(before.State.Pid);
  } finally {
    await engine.stop();
  }
  const base = dirname(engine.socketPath);
  expect(existsSync(base)).toBe(false);
  expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(base);
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list?.map((entry) => entry.address) ?? []);
  expect(addresses).not.toContain(engine.bridgeAddress);
}, 90_000);
