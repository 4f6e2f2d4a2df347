/** Network probes for health and readiness checks; io/wire implements them. Never throws: the answer says what happened. */
export interface ProbeAnswer {
  readonly ok: boolean;
  /** Why not, in words (`connection refused`, `HTTP 503`, `no answer within 20 s`). */
  readonly cause?: string;
  readonly status?: number;
  readonly contentType?: string;
  /** At most 4 KiB. */
  readonly body?: string;
}

export interface Probe {
  /** `ok` tells only that an answer came; the caller judges the status. Certificates are not verified. */
  http(options: {
    readonly scheme: 'http' | 'https';
    readonly host: string;
    readonly port: number;
    readonly path: string;
    readonly timeoutMs: number;
    readonly keepBody?: boolean;
  }): Promise<ProbeAnswer>;
  /** `ok`: a connection was made. */
  tcp(options: { readonly host: string; readonly port: number; readonly timeoutMs: number }): Promise<ProbeAnswer>;
}
