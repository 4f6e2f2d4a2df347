import { readFile } from 'node:fs/promises';
import type { Listening, Pem } from '../api/http/listen';
import type { TlsFiles } from '../cli/options';
import { messageOf } from '../core/errors';
import { LIMITS } from '../core/limits';
import { sleep, type Clock } from '../core/ports/clock';
import type { Logger } from '../core/ports/logger';
import type { Metrics } from '../core/ports/metrics';
import { tellCertificate } from './process-metrics';

/** A certificate that this process shows to its clients. */
export interface ShownCertificate {
  /** As in the metric: `http`, `kubernetes`. */
  readonly name: string;
  /** What the listeners were opened with. */
  readonly pem: Pem;
  readonly listeners: readonly Pick<Listening, 'setCertificate'>[];
  /** What they should show now. Rejects when it cannot be told: they go on with what they have. */
  readonly current: () => Promise<Pem>;
}

interface Parts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

/** --tls-cert and --tls-key as they are now, and how listeners show what becomes of them. Nothing without TLS. */
export async function readCertificate(
  files: TlsFiles | undefined,
): Promise<
  { readonly pem: Pem; readonly shownBy: (listeners: ShownCertificate['listeners']) => ShownCertificate } | undefined
> {
  if (files === undefined) return undefined;
  const pem = await readPem(files);
  return { pem, shownBy: (listeners) => ({ name: 'http', pem, listeners, current: () => readPem(files) }) };
}

async function readPem({ certFile, keyFile }: TlsFiles): Promise<Pem> {
  const [cert, key] = await Promise.all([readFile(certFile, 'utf8'), readFile(keyFile, 'utf8')]);
  return { cert, key };
}

/**
 * Shows renewed certificates without a restart, until `stop`: looks at each every LIMITS.certificateCheckMs. A pair that does not
 * match or cannot be read is told once in the log and looked at again.
 */
export async function keepCertificates(
  certificates: readonly ShownCertificate[],
  parts: Parts,
  stop: AbortSignal,
): Promise<void> {
  const keepers = certificates.map((certificate) => new Keeper(certificate, parts));
  for (;;) {
    await sleep(parts.clock, LIMITS.certificateCheckMs, stop);
    if (stop.aborted) return;
    for (const keeper of keepers) await keeper.look();
  }
}

class Keeper {
  private shown: Pem;
  private trouble: string | undefined;

  constructor(
    private readonly certificate: ShownCertificate,
    private readonly parts: Parts,
  ) {
    this.shown = certificate.pem;
    tellCertificate(parts.metrics, certificate.name, certificate.pem.cert);
  }

  async look(): Promise<void> {
    const { log, metrics } = this.parts;
    const { name, listeners } = this.certificate;
    try {
      const pem = await this.certificate.current();
      if (pem.cert !== this.shown.cert || pem.key !== this.shown.key) {
        for (const listener of listeners) listener.setCertificate(pem);
        this.shown = pem;
        tellCertificate(metrics, name, pem.cert);
        log.info('a new certificate is shown', { certificate: name });
      }
      this.trouble = undefined;
    } catch (error) {
      const trouble = messageOf(error);
      if (trouble !== this.trouble)
        log.warn('the certificate cannot be renewed; the old one is shown', { certificate: name, error: trouble });
      this.trouble = trouble;
    }
  }
}
