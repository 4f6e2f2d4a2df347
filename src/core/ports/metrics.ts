export type Labels = Readonly<Record<string, string>>;

export interface MetricOptions {
  /** snake_case with the unit in full (`_seconds`, `_bytes`); counters end in `_total`. */
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[];
}

export interface Counter {
  inc(labels?: Labels, amount?: number): void;
  /** Drops one series, so that what has ended is not reported for ever. */
  remove(labels: Labels): void;
  /** Drops every series. With `inc` right after it, a total that somebody else counts (the kernel) is shown as it is. */
  reset(): void;
}

export interface Gauge {
  set(value: number, labels?: Labels): void;
  /** Drops one series, so that what has ended is not reported for ever. */
  remove(labels: Labels): void;
  /** Drops every series. */
  reset(): void;
}

export interface Histogram {
  /** @param value in the unit of the name (seconds for `_seconds`) */
  observe(value: number, labels?: Labels): void;
}

/** Metrics as a port. Asking twice for one name gives the same metric. */
export interface Metrics {
  counter(options: MetricOptions): Counter;
  gauge(options: MetricOptions): Gauge;
  histogram(options: MetricOptions & { readonly buckets?: readonly number[] }): Histogram;
  /** Runs `collect` before each scrape: for what is counted, not kept. The function that it returns ends that. */
  onCollect(collect: () => void): () => void;
}
