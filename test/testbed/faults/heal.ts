import { setLink, healLink } from './link';
import { flushFirewall } from './firewall';
import { clockJump } from './clock';
import { startAll } from './etcd';
import type { Testbed } from '../testbed';

/** Ends every fault that has no data of its own: links, firewalls, stopped and dead processes, clocks. Safe at any time. */
export async function healAll(bed: Testbed): Promise<void> {
  for (const node of bed.nodes()) {
    setLink(bed, node, 'up');
    flushFirewall(node);
    healLink(node);
    if (bed.options.faketime === true) await clockJump(node, 0)();
  }
  for (const process of bed.processes()) await process.kill('SIGCONT');
  for (const proxy of bed.etcdProxies.flat()) {
    proxy.heal();
    proxy.delayMs = () => 0;
  }
  await startAll(bed.etcd);
  if (bed.options.registry !== false) bed.registry.process.start();
  await Promise.all(
    bed.hosts.map(async (host) => {
      await host.startContainerd();
      await host.startDockerd();
      host.agent.start();
    }),
  );
  for (const server of bed.servers) server.start();
}
