import { Router } from 'express';

/** One condition of being ready, in words for the operator. Never holds secrets: it is shown without authentication. */
export interface ReadyCheck {
  readonly name: string;
  readonly ok: boolean;
  readonly message: string;
}

export interface HealthOptions {
  /** What must hold before traffic makes sense (store answers, mirror complete, leader known). */
  readonly ready: () => readonly ReadyCheck[] | Promise<readonly ReadyCheck[]>;
  /** The Prometheus text of this process. */
  readonly metrics: () => Promise<string>;
}

/**
 * `/healthz`: 200 as long as the process can answer; the store is no part of it, so that store trouble restarts nobody.
 * `/readyz`: 200, or 503 with a line for each check. `/metrics` (and `/metrics/prometheus`, Marathon's path): Prometheus text.
 */
export function healthRouter({ ready, metrics }: HealthOptions): Router {
  const router = Router();
  router.get('/healthz', (_request, response) => {
    response.type('text/plain').send('ok\n');
  });
  router.get('/readyz', async (_request, response) => {
    const checks = await ready();
    const lines = checks.map(({ name, ok, message }) => `[${ok ? '+' : '-'}] ${name}: ${message}\n`);
    response
      .status(checks.every(({ ok }) => ok) ? 200 : 503)
      .set('Cache-Control', 'no-cache')
      .type('text/plain')
      .send(lines.length === 0 ? 'ok\n' : lines.join(''));
  });
  router.get(['/metrics', '/metrics/prometheus'], async (_request, response) => {
    response.set('Content-Type', 'text/plain; version=0.0.4; charset=utf-8').send(await metrics());
  });
  return router;
}
