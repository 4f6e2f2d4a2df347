import type { Express } from 'express';
import { application } from '../../../src/api/http/application';
import { statusOf } from './statuses';
import { errorHandler } from '../../../src/api/http/errors';
import { listen, type Listening } from '../../../src/api/http/listen';
import type { Logger } from '../../../src/core/ports/logger';
import { silentLogger } from '../../support/fakes';

/** A server on a free port for the middleware under test; failures are answered as `{message}`. */
export async function serve(
  configure: (app: Express) => void,
  log: Logger = silentLogger(),
): Promise<Listening & { readonly url: string }> {
  const app = application();
  configure(app);
  app.use(errorHandler(log, (error) => ({ status: statusOf(error), body: { message: error?.message ?? 'bug' } })));
  const listening = await listen(app, { host: '127.0.0.1', port: 0 });
  return { ...listening, url: `http://127.0.0.1:${listening.port}` };
}
