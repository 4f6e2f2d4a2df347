import { existsSync } from 'node:fs';
import { startEtcd } from './etcd';

describe('startEtcd', () => {
  it('survives kill -9 on the same endpoint and leaves nothing behind', async () => {
    const etcd = await startEtcd();
    const first = etcd.pid;
    await etcd.kill('SIGKILL');
    await etcd.restart();
    expect(etcd.pid).not.toBe(first);
    expect((await fetch(`${etcd.endpoint}/health`)).status).toBe(200);
    await etcd.stop();
    await etcd.stop();
    expect(existsSync(etcd.dataDir)).toBe(false);
    expect(() => etcd.pid).toThrow('does not run');
  });

  it('fails with the last words of etcd when it does not start', async () => {
    await expect(startEtcd({ args: ['--no-such-flag'] })).rejects.toThrow(/flag provided but not defined/);
  });

  it('says how to install a missing etcd', async () => {
    await expect(startEtcd({ binary: 'etcd-not-there' })).rejects.toThrow('etcd is not installed');
  });
});
