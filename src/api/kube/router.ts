import { Router, type Request, type Response } from 'express';
import { messageOf } from '../../core/errors';
import type { AppService } from '../../core/ports/app-service';
import type { Clock } from '../../core/ports/clock';
import type { IdSource } from '../../core/ports/ids';
import type { Logger } from '../../core/ports/logger';
import type { Random } from '../../core/ports/random';
import type { Records } from '../../core/ports/records';
import type { StreamRegistry } from '../http/event-stream';
import { type Answer, ok, send } from './answer';
import { readObject } from './body';
import type { Call } from './call';
import { Deletion } from './deletion';
import {
  aggregated,
  AGGREGATED,
  coreVersions,
  groupList,
  groupOf,
  resourceList,
  REVIEWS,
  wantsAggregated,
} from './discovery';
import type { JsonObject } from './json';
import { OpenApi } from './openapi';
import { filterOf, flagOf, urlOf } from './query';
import { Reads } from './reads';
import { negotiate } from './represent';
import { review } from './reviews';
import { ServedResources } from './served';
import { KubeError, kubeErrorOf, methodNotAllowed, noSuchPath, unauthorized } from './status';
import { segmentsOf, type Target, targetOf } from './target';
import { Watch, type WatchParts } from './watch';
import { Writes } from './writes';

export interface KubeOptions {
  readonly records: Records;
  readonly apps: AppService;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly random: Random;
  readonly log: Logger;
  /** Shared by all faces of the process, so that their streams have one bound. */
  readonly streams: StreamRegistry;
  /** Version of Berth, `0.1.0`. */
  readonly version: string;
  /** Whether a request may come in. `/version`, `/healthz`, `/livez` and `/readyz` are open to everyone, as in Kubernetes. */
  readonly authenticate: (request: Request) => boolean;
}

/** Serves the Kubernetes API over the records. Mount at `/` of a TLS listener (kubectl sends no token without TLS). */
export function kubeRouter(options: KubeOptions): Router {
  const face = new KubeFace(options);
  const router = Router();
  router.use((request, response) => face.handle(request, response));
  return router;
}

const OPEN = new Set(['version', 'healthz', 'livez', 'readyz']);
/** The version of Kubernetes whose API this is; kubectl compares it with its own. */
const KUBERNETES = { major: '1', minor: '32' } as const;
/** A document whose URL holds its hash never changes. */
const IMMUTABLE = 'public, max-age=31536000, immutable';

class KubeFace {
  private readonly served: ServedResources;
  private readonly reads: Reads;
  private readonly writes: Writes;
  private readonly deletion: Deletion;
  private readonly openApi: OpenApi;

  constructor(private readonly options: KubeOptions) {
    const { records, clock, ids, version } = options;
    this.served = new ServedResources(options);
    this.reads = new Reads(records, clock);
    this.writes = new Writes(records, clock, ids);
    this.deletion = new Deletion(records);
    this.openApi = new OpenApi(version);
  }

  async handle(request: Request, response: Response): Promise<void> {
    try {
      const answer = await this.answer(request, response);
      if (answer !== undefined) send(response, answer);
    } catch (error) {
      this.refuse(error, request, response);
    }
  }

  /** undefined: a stream has taken the response over. */
  private async answer(request: Request, response: Response): Promise<Answer | undefined> {
    const url = urlOf(request);
    const segments = segmentsOf(url.pathname);
    const [root = '', ...rest] = segments;
    if (!OPEN.has(root) && !this.options.authenticate(request)) throw unauthorized();
    if (root === 'api' || root === 'apis') return this.api(root, rest, url.searchParams, request, response);
    if (request.method !== 'GET' && request.method !== 'HEAD') throw methodNotAllowed('only GET is allowed here');
    if (root === 'openapi') return this.openApiAnswer(rest);
    if (rest.length === 0 && root === 'version') return ok(this.versionInfo());
    if (rest.length === 0 && OPEN.has(root)) return this.health(root);
    if (segments.length === 0)
      return ok({ paths: ['/api', '/apis', '/healthz', '/livez', '/openapi/v3', '/readyz', '/version'] });
    throw noSuchPath();
  }

  private async api(
    root: 'api' | 'apis',
    segments: readonly string[],
    query: URLSearchParams,
    request: Request,
    response: Response,
  ): Promise<Answer | undefined> {
    const isCore = root === 'api';
    const [group = '', version, ...rest] = isCore ? ['', ...segments] : segments;
    if (version === undefined || rest.length === 0) return discover(isCore, group, version, request);
    if (version !== 'v1') throw noSuchPath();
    if (REVIEWS.some((known) => known.group === group)) {
      if (request.method !== 'POST' || rest.length !== 1) throw methodNotAllowed('reviews are created');
      return { code: 201, body: review(group, rest[0] ?? '', await readObject(request)) };
    }
    return this.resource(targetOf(group, rest), query, request, response);
  }

  private async resource(
    target: Target,
    query: URLSearchParams,
    request: Request,
    response: Response,
  ): Promise<Answer | undefined> {
    const form = negotiate(request.headers.accept, query.get('includeObject') ?? undefined);
    if (form === undefined)
      throw new KubeError(406, 'NotAcceptable', 'only the following media types are accepted: application/json');
    const call: Call = { request, query, target, form, served: this.served.of(target.resource) };
    const isCollection = target.name === undefined;
    switch (request.method) {
      case 'HEAD':
      case 'GET':
        if (flagOf(query, 'watch')) return this.watch(call, response);
        return isCollection ? this.reads.list(call) : this.reads.get(call);
      case 'POST':
        return this.writes.create(call);
      case 'PUT':
        return this.writes.replace(call);
      case 'PATCH':
        return this.writes.patch(call);
      case 'DELETE':
        return isCollection ? this.deletion.removeCollection(call) : this.deletion.remove(call);
      default:
        throw methodNotAllowed(`${request.method} is not supported`);
    }
  }

  private async watch({ request, query, target, form, served }: Call, response: Response): Promise<undefined> {
    const { records, streams, clock, random } = this.options;
    const parts: WatchParts = { records, streams, clock, random };
    const filter = filterOf(target.resource, query, target.namespace, target.name);
    await new Watch(parts, served.source, filter, form, query, response).start(request, target.namespace);
    return undefined;
  }

  private openApiAnswer(segments: readonly string[]): Answer {
    const [version, ...path] = segments;
    if (version !== 'v3') throw noSuchPath();
    if (path.length === 0) return ok(this.openApi.index());
    const body = this.openApi.document(path.join('/'));
    if (body === undefined) throw noSuchPath();
    return { code: 200, body, headers: { 'Cache-Control': IMMUTABLE } };
  }

  private versionInfo(): JsonObject {
    const { version } = this.options;
    return {
      ...KUBERNETES,
      gitVersion: `v${KUBERNETES.major}.${KUBERNETES.minor}.0+berth.${version}`,
      gitCommit: '',
      gitTreeState: 'clean',
      buildDate: '1970-01-01T00:00:00Z',
      goVersion: '',
      compiler: 'node',
      platform: `${process.platform}/${process.arch}`,
    };
  }

  private health(root: string): Answer {
    const isReady = root !== 'readyz' || this.options.records.isFresh();
    return { code: isReady ? 200 : 503, body: isReady ? 'ok' : 'the store does not answer', contentType: 'text/plain' };
  }

  private refuse(error: unknown, request: Request, response: Response): void {
    const known = kubeErrorOf(error);
    if (known === undefined)
      this.options.log.error('request failed', {
        method: request.method,
        path: request.path,
        error: error instanceof Error ? (error.stack ?? error.message) : messageOf(error),
      });
    if (response.headersSent) {
      response.destroy();
      return;
    }
    const refusal =
      known ?? new KubeError(500, 'InternalError', 'an internal error occurred; the log of the server has it');
    const seconds = refusal.details.retryAfterSeconds;
    send(response, {
      code: refusal.code,
      body: refusal.status(),
      ...(refusal.warning === undefined ? {} : { warnings: [refusal.warning] }),
      headers: {
        ...(seconds === undefined ? {} : { 'Retry-After': String(seconds) }),
        // What was not read of the body must not be taken for the next request.
        ...(request.complete ? {} : { Connection: 'close' }),
      },
    });
  }
}

function discover(isCore: boolean, group: string, version: string | undefined, request: Request): Answer {
  if (request.method !== 'GET' && request.method !== 'HEAD') throw methodNotAllowed('only GET is allowed here');
  if (version !== undefined) {
    const list = version === 'v1' ? resourceList(group) : undefined;
    if (list === undefined) throw noSuchPath();
    return ok(list);
  }
  if (isCore || group === '') {
    if (wantsAggregated(request.headers.accept))
      return { code: 200, body: aggregated(isCore), contentType: AGGREGATED };
    return ok(isCore ? coreVersions() : groupList());
  }
  const found = groupOf(group);
  if (found === undefined) throw noSuchPath();
  return ok(found);
}
