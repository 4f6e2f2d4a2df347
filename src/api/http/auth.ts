import { createHash, timingSafeEqual } from 'node:crypto';
import type { Request, RequestHandler, Response } from 'express';

/** Paths that answer without a token: what load balancers and supervisors ask. They tell states, nothing of the workload. */
export const OPEN_PATHS: readonly string[] = ['/healthz', '/readyz', '/ping'];

/**
 * One shared token. Accepted as `Authorization: Bearer <token>` and as the password of basic auth under any user name (what
 * Marathon clients can send). Without a token everything is allowed: the composition root grants that on loopback only, or
 * when the operator said so.
 */
export class TokenAuth {
  private readonly digest: Buffer | undefined;

  /** @param token surrounding white space (the newline of a token file) does not count; undefined: no authentication */
  constructor(token: string | undefined) {
    const trimmed = token?.trim();
    if (trimmed === '') throw new Error('the token is empty');
    this.digest = trimmed === undefined ? undefined : digest(trimmed);
  }

  /** Whether a token is asked for at all. */
  get required(): boolean {
    return this.digest !== undefined;
  }

  /** @param header the request's Authorization header. For upgrades, which pass no middleware. Takes constant time. */
  allows(header: string | undefined): boolean {
    if (this.digest === undefined) return true;
    const presented = header === undefined ? undefined : presentedToken(header);
    // Digests have one length, so that the comparison tells nothing of the length of the token.
    return presented !== undefined && timingSafeEqual(digest(presented), this.digest);
  }

  /**
   * Lets a request through or answers 401 with WWW-Authenticate.
   * @param deny writes the body of the 401 in the form of the face
   */
  middleware(
    deny: (request: Request, response: Response) => void = (_request, response) => {
      response.json({ message: 'Unauthorized: send the token as bearer token or as basic-auth password' });
    },
    openPaths: readonly string[] = OPEN_PATHS,
  ): RequestHandler {
    return (request, response, next) => {
      if (openPaths.includes(request.path) || this.allows(request.headers.authorization)) return next();
      response.status(401).setHeader('WWW-Authenticate', ['Bearer realm="berth"', 'Basic realm="berth"']);
      deny(request, response);
    };
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function presentedToken(header: string): string | undefined {
  const [scheme = '', credentials = ''] = header.trim().split(/\s+/, 2);
  switch (scheme.toLowerCase()) {
    case 'bearer':
      return credentials === '' ? undefined : credentials;
    case 'basic': {
      const decoded = Buffer.from(credentials, 'base64').toString('utf8');
      const colon = decoded.indexOf(':');
      return colon === -1 ? undefined : decoded.slice(colon + 1);
    }
    default:
      return undefined;
  }
}
