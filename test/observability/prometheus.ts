import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { freePorts, startProcess, type RunningProcess } from '../support/process';
import { waitFor } from '../support/wait';

export const DEPLOY = resolve(__dirname, '../../deploy');

export interface Series {
  readonly metric: Readonly<Record<string, string>>;
  /** Seconds since the epoch, and the value as text: `NaN` and `+Inf` are values too. */
  readonly value: readonly [number, string];
}

export interface Target {
  readonly labels: Readonly<Record<string, string>>;
  readonly scrapePool: string;
  readonly scrapeUrl: string;
  readonly health: 'up' | 'down' | 'unknown';
  readonly lastError: string;
}

/** A real Prometheus on loopback with the rules of deploy/prometheus beside its configuration. */
export class Prometheus {
  private constructor(
    readonly url: string,
    private readonly process: RunningProcess,
  ) {}

  /** @param dir an empty folder for configuration, token and data */
  static async start(dir: string, configuration: string, token = 'any'): Promise<Prometheus> {
    const [port = 0] = await freePorts(1);
    mkdirSync(dir, { recursive: true });
    cpSync(join(DEPLOY, 'prometheus/rules'), join(dir, 'rules'), { recursive: true });
    writeFileSync(join(dir, 'token'), `${token}\n`);
    writeFileSync(join(dir, 'prometheus.yml'), configuration);
    const flags = [`--config.file=${dir}/prometheus.yml`, `--storage.tsdb.path=${dir}/data`, '--log.level=warn'];
    const process = startProcess(
      ['prometheus', ...flags, `--web.listen-address=127.0.0.1:${port}`],
      join(dir, 'prometheus.log'),
    );
    const url = `http://127.0.0.1:${port}`;
    try {
      await waitFor('Prometheus to be ready', async () => {
        if (process.exited()) throw new Error('it ended');
        return (await fetch(`${url}/-/ready`, { signal: AbortSignal.timeout(2_000) })).ok;
      });
    } catch (error) {
      await process.kill('SIGKILL');
      throw new Error(`Prometheus (apt-get install prometheus): ${String(error)}\n${process.log()}`, { cause: error });
    }
    return new Prometheus(url, process);
  }

  /** Series of an instant query now. Throws what Prometheus has to say against the query. */
  async query(expression: string): Promise<Series[]> {
    const { result } = (await this.get(`query?query=${encodeURIComponent(expression)}`)) as { result: Series[] };
    return result;
  }

  async targets(): Promise<Target[]> {
    return ((await this.get('targets?state=active')) as { activeTargets: Target[] }).activeTargets;
  }

  /** Values of a label, as Grafana's label_values asks for them. */
  async labelValues(label: string, selector: string): Promise<string[]> {
    return (await this.get(`label/${label}/values?match[]=${encodeURIComponent(selector)}`)) as string[];
  }

  /** Rules with their health and last error. */
  async rules(): Promise<{ name: string; type: string; health: string; lastError?: string; state?: string }[]> {
    const { groups } = (await this.get('rules')) as { groups: { rules: never[] }[] };
    return groups.flatMap(({ rules }) => rules);
  }

  /** Alerts that fire or are about to. */
  async alerts(): Promise<{ labels: Record<string, string>; annotations: Record<string, string>; state: string }[]> {
    return ((await this.get('alerts')) as { alerts: never[] }).alerts;
  }

  log(): string {
    return this.process.log();
  }

  async stop(): Promise<void> {
    await this.process.kill('SIGKILL');
  }

  private async get(path: string): Promise<unknown> {
    const response = await fetch(`${this.url}/api/v1/${path}`, { signal: AbortSignal.timeout(10_000) });
    const body = (await response.json()) as { status: string; error?: string; data: unknown };
    if (body.status !== 'success') throw new Error(`${path}: ${body.error ?? body.status}`);
    return body.data;
  }
}
