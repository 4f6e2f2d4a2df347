import express, { type Express } from 'express';

/**
 * An express application for one port. Nothing reads bodies but the handlers (readBody), answers are not hashed for ETags, and
 * the server does not say what it is made of.
 */
export function application(): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  return app;
}
