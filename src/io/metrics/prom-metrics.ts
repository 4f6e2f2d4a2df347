import { setImmediate as yieldToOthers } from 'node:timers/promises';
import {
  collectDefaultMetrics,
  Counter as PromCounter,
  Gauge as PromGauge,
  Histogram as PromHistogram,
  Registry,
} from 'prom-client';
import type { Counter, Gauge, Histogram, MetricOptions, Metrics } from '../../core/ports/metrics';

/** Default metrics of prom-client that end in `_total` and are gauges: `promtool check metrics` refuses them. */
const MISNAMED = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];

/**
 * Metrics on prom-client, in a registry of its own. Includes the process and Node.js defaults (event loop delay among them)
 * under their usual names, so that stock dashboards find them.
 */
export class PromMetrics implements Metrics {
  private readonly registry = new Registry();
  private readonly counters = new Map<string, Counter>();
  private readonly gauges = new Map<string, Gauge>();
  private readonly histograms = new Map<string, Histogram>();
  private readonly collectors = new Set<() => void>();
  private rendering: Promise<string> | undefined;

  /** @param labels are added to every series, e.g. `{ cluster: 'prod' }` */
  constructor(labels: Readonly<Record<string, string>> = {}) {
    this.registry.setDefaultLabels({ ...labels });
    collectDefaultMetrics({ register: this.registry });
    for (const name of MISNAMED) this.registry.removeSingleMetric(name);
  }

  /** For the Content-Type header. */
  get contentType(): string {
    return this.registry.contentType;
  }

  /**
   * All metrics in the text format of Prometheus, after the collectors have run. Made metric by metric, with looks at other work in
   * between: thousands of apps are megabytes of text. Who asks meanwhile gets the same text.
   */
  render(): Promise<string> {
    this.rendering ??= this.renderAll().finally(() => (this.rendering = undefined));
    return this.rendering;
  }

  private async renderAll(): Promise<string> {
    for (const collect of this.collectors) this.collectOne(collect);
    const texts: string[] = [];
    for (const { name } of this.registry.getMetricsAsArray()) {
      texts.push(await this.registry.getSingleMetricAsString(name));
      await yieldToOthers();
    }
    return `${texts.join('\n\n')}\n`;
  }

  counter(options: MetricOptions): Counter {
    return once(this.counters, options.name, () => {
      const counter = new PromCounter(this.configuration(options));
      return {
        inc: (labels = {}, amount = 1) => counter.inc({ ...labels }, amount),
        remove: (labels) => counter.remove({ ...labels }),
        // As with gauges: a 0 would be a statement.
        reset: () => (isLabelled(options) ? counter.reset() : counter.remove()),
      };
    });
  }

  gauge(options: MetricOptions): Gauge {
    return once(this.gauges, options.name, () => {
      const gauge = new PromGauge(this.configuration(options));
      return {
        set: (value, labels = {}) => gauge.set({ ...labels }, value),
        remove: (labels) => gauge.remove({ ...labels }),
        // prom-client's reset() would leave a gauge without labels at 0, which is a statement too.
        reset: () => (isLabelled(options) ? gauge.reset() : gauge.remove()),
      };
    });
  }

  histogram(options: MetricOptions & { readonly buckets?: readonly number[] }): Histogram {
    return once(this.histograms, options.name, () => {
      const buckets = options.buckets === undefined ? {} : { buckets: [...options.buckets] };
      const histogram = new PromHistogram({ ...this.configuration(options), ...buckets });
      return { observe: (value, labels = {}) => histogram.observe({ ...labels }, value) };
    });
  }

  onCollect(collect: () => void): () => void {
    const own = () => collect();
    this.collectors.add(own);
    return () => void this.collectors.delete(own);
  }

  /** One part's bug must not take all metrics from us just when they are needed. */
  private collectOne(collect: () => void): void {
    try {
      collect();
    } catch {
      this.counter({
        name: 'berth_collect_failures_total',
        help: 'Metrics that could not be collected (a bug).',
      }).inc();
    }
  }

  private configuration({ name, help, labels = [] }: MetricOptions) {
    return { name, help, labelNames: [...labels], registers: [this.registry] };
  }
}

function once<T>(known: Map<string, T>, name: string, make: () => T): T {
  const found = known.get(name) ?? make();
  known.set(name, found);
  return found;
}

function isLabelled({ labels = [] }: MetricOptions): boolean {
  return labels.length > 0;
}
