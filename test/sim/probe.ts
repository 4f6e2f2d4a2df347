import { sleep } from '../../src/core/ports/clock';
import type { Probe, ProbeAnswer } from '../../src/core/ports/probe';
import type { FakeClock } from '../support/fakes';
import type { Dice } from './dice';
import { portsOf } from '../checker/hosts';
import type { SimHost } from './host';
import type { SimProcess } from './process';

/** Reaches the containers of the agent's own host by host port; an unhealthy one answers 503 or not at all. */
export class SimProbe implements Probe {
  constructor(
    private readonly host: SimHost,
    private readonly process: SimProcess,
    private readonly clock: FakeClock,
    private readonly dice: Dice,
  ) {}

  http(options: { readonly port: number }): Promise<ProbeAnswer> {
    return this.ask(options.port, (healthy) =>
      healthy ? { ok: true, status: 200 } : { ok: true, status: 503, cause: 'HTTP 503' },
    );
  }

  tcp(options: { readonly port: number }): Promise<ProbeAnswer> {
    return this.ask(options.port, (healthy) => (healthy ? { ok: true } : { ok: false, cause: 'connection refused' }));
  }

  private ask(port: number, answer: (healthy: boolean) => ProbeAnswer): Promise<ProbeAnswer> {
    return this.process.call(async () => {
      await sleep(this.clock, this.dice.between(1, 20));
      const target = this.host.running().find((container) => portsOf(container.info).includes(port));
      return target === undefined ? { ok: false, cause: 'connection refused' } : answer(target.healthy);
    });
  }
}
