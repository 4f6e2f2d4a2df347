import type { Counter, Gauge, Histogram, Labels, MetricOptions, Metrics } from '../../../src/core/ports/metrics';

/** Keeps every value, for tests that ask. Series are named `name{a="1",b="2"}` with labels in order of name. */
export class RecordingMetrics implements Metrics {
  /** Value of counters and gauges; number of observations of histograms. */
  readonly values = new Map<string, number>();
  private readonly collectors = new Set<() => void>();

  counter({ name }: MetricOptions): Counter {
    return {
      inc: (labels, amount = 1) => this.add(name, labels, amount),
      remove: (labels) => void this.values.delete(series(name, labels)),
      reset: () => this.reset(name),
    };
  }

  gauge({ name }: MetricOptions): Gauge {
    return {
      set: (value, labels) => void this.values.set(series(name, labels), value),
      remove: (labels) => void this.values.delete(series(name, labels)),
      reset: () => this.reset(name),
    };
  }

  histogram({ name }: MetricOptions): Histogram {
    return { observe: (_value, labels) => this.add(name, labels, 1) };
  }

  onCollect(collect: () => void): () => void {
    const own = () => collect();
    this.collectors.add(own);
    return () => void this.collectors.delete(own);
  }

  /** What a scrape would do: runs the collectors, then reads one series. */
  read(name: string, labels?: Labels): number | undefined {
    for (const collect of this.collectors) collect();
    return this.values.get(series(name, labels));
  }

  private add(name: string, labels: Labels | undefined, amount: number): void {
    const key = series(name, labels);
    this.values.set(key, (this.values.get(key) ?? 0) + amount);
  }

  private reset(name: string): void {
    for (const key of this.values.keys()) if (key === name || key.startsWith(`${name}{`)) this.values.delete(key);
  }
}

export function recordingMetrics(): RecordingMetrics {
  return new RecordingMetrics();
}

/** Forgets everything. */
export function noopMetrics(): Metrics {
  return {
    counter: () => ({ inc: () => undefined, remove: () => undefined, reset: () => undefined }),
    gauge: () => ({ set: () => undefined, remove: () => undefined, reset: () => undefined }),
    histogram: () => ({ observe: () => undefined }),
    onCollect: () => () => undefined,
  };
}

function series(name: string, labels: Labels = {}): string {
  const pairs = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  return pairs.length === 0 ? name : `${name}{${pairs.toSorted().join(',')}}`;
}
