import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import type { Express } from 'express';
import { accessLog, limitConcurrency } from '../api/http/access';
import { application } from '../api/http/application';
import { healthRouter, type ReadyCheck } from '../api/http/health';
import { listen, type Listening } from '../api/http/listen';
import { kubeRouter } from '../api/kube/router';
import { writeKubeconfig } from '../api/kube/kubeconfig';
import { currentPki, ensurePki, type Pki } from '../api/kube/pki';
import { marathonErrors } from '../api/marathon/error-answers';
import { marathonRouter, uriNotFound } from '../api/marathon/router';
import { mesosRouter } from '../api/mesos/router';
import type { ServerOptions } from '../cli/options';
import { timestamp } from '../core/records/metadata';
import type { MirrorRecords, Rewind } from '../io/mirror/records';
import { Orchestrator } from '../orchestrator/orchestrator';
import { readCertificate, type ShownCertificate } from './certificates';
import { clusterStatus } from './cluster-status';
import { notReady } from './not-ready';
import type { ServerParts } from './server-parts';

/** The open ports of a server, and the certificates they show. */
export interface Faces {
  readonly listening: readonly Listening[];
  readonly certificates: readonly ShownCertificate[];
}

/** Opens the Marathon, Mesos and Kubernetes ports and writes the kubeconfig. All of them or, when it rejects, none. */
export async function openFaces(parts: ServerParts, token: string | undefined): Promise<Faces> {
  const { options } = parts;
  const pki = await ensurePki(...pkiPlace(options), parts.platform.clock.nowMs());
  const http = await readCertificate(options.tls);
  const tls = http === undefined ? {} : { tls: http.pem };
  const at = [
    { app: marathonApp(parts, authorities(options, pki)), port: options.marathonPort, ...tls },
    { app: mesosApp(parts), port: options.mesosPort, ...tls },
    { app: kubeApp(parts), port: options.kubePort, tls: { key: pki.key, cert: pki.cert } },
  ];
  const listening: Listening[] = [];
  try {
    for (const { app, ...where } of at) listening.push(await listen(app, { host: options.listen, ...where }));
    await tellKubectl(options, pki, token);
  } catch (error) {
    await Promise.all(listening.map((face) => face.close(0)));
    throw error;
  }
  const kubernetes = pkiShown(parts, pki, token, listening.slice(2));
  if (http === undefined) return { listening, certificates: [kubernetes] };
  return { listening, certificates: [kubernetes, http.shownBy(listening.slice(0, 2))] };
}

/** The certificate of the Kubernetes port. A new authority is told to kubectl. */
function pkiShown(
  { options, platform }: ServerParts,
  pki: Pki,
  token: string | undefined,
  listeners: readonly Listening[],
): ShownCertificate {
  let known = pki;
  const current = async () => {
    const now = await currentPki(...pkiPlace(options), platform.clock.nowMs(), known);
    if (now.ca !== known.ca) await tellKubectl(options, now, token);
    return (known = now);
  };
  return { name: 'kubernetes', pem: pki, listeners, current };
}

function pkiPlace({ dataDir, listen: host, hostname, advertiseAddress }: ServerOptions): [string, string[]] {
  return [join(dataDir, 'pki'), [host, hostname, advertiseAddress]];
}

function tellKubectl(options: ServerOptions, { ca }: Pki, token: string | undefined): Promise<void> {
  return writeKubeconfig(options.kubeconfig, {
    server: `https://${options.advertiseAddress}:${options.kubePort}`,
    ca,
    name: options.cluster,
    // Without credentials kubectl asks for a user name; on loopback any token will do.
    token: token ?? 'none-needed-on-loopback',
  });
}

/** Whom this server trusts when it passes a request on to the leader. */
function authorities({ tlsCa }: ServerOptions, pki: Pki): string[] {
  return tlsCa === undefined ? [...rootCertificates, pki.ca] : [readFileSync(tlsCa, 'utf8')];
}

function marathonApp(parts: ServerParts, ca: readonly string[]): Express {
  const { options, platform, records, election, apps, streams, self, auth } = parts;
  const { clock, log, metrics } = platform;
  const scheme = options.tls === undefined ? 'http' : 'https';
  const app = application();
  app.use(accessLog('marathon', clock, metrics, log));
  app.use(auth.middleware());
  app.use(healthRouter({ ready: () => readiness(parts), metrics: () => platform.metrics.render() }));
  app.use(limitConcurrency());
  app.use(notReady(records, (response, message) => void response.json({ message })));
  app.get('/v1/status', (_request, response) => void response.json(statusOf(parts)));
  app.use(
    marathonRouter({
      records,
      apps,
      election,
      clock,
      log,
      streams,
      info: {
        version: platform.version,
        self: self.marathonAddress,
        scheme,
        ca,
        frameworkId: () => Orchestrator.frameworkId,
        storeEndpoints: options.etcdEndpoints,
        localPortMin: options.localPortMin,
        localPortMax: options.localPortMax,
        hostname: options.hostname,
        mesosUrl: () => {
          const leader = election.leader();
          return leader === undefined ? undefined : `${scheme}://${leader.mesosAddress}`;
        },
      },
    }),
  );
  app.use(uriNotFound);
  app.use(marathonErrors(log));
  return app;
}

function mesosApp(parts: ServerParts): Express {
  const { platform, records, election, auth, leading, self, agentStreams } = parts;
  const { clock, ids, log, metrics } = platform;
  const app = application();
  app.use(accessLog('mesos', clock, metrics, log));
  app.use(auth.middleware(undefined, ['/healthz', '/readyz', '/health']));
  app.use(healthRouter({ ready: () => readiness(parts), metrics: () => platform.metrics.render() }));
  app.use(notReady(records, (response, message) => void response.type('text/plain').send(message)));
  app.use(
    mesosRouter({
      election,
      currentMaster: () => leading.master,
      selfId: self.id,
      streams: agentStreams,
      ids,
      log,
      version: platform.version,
    }),
  );
  return app;
}

function kubeApp(parts: ServerParts): Express {
  const { platform, records, apps, streams, auth } = parts;
  const { clock, ids, random, log, metrics, version } = platform;
  const app = application();
  app.use(accessLog('kubernetes', clock, metrics, log));
  app.use(
    notReady(records, (response, message) => {
      response.json({
        kind: 'Status',
        apiVersion: 'v1',
        metadata: {},
        status: 'Failure',
        message,
        reason: 'ServiceUnavailable',
        code: 503,
      });
    }),
  );
  const authenticate = (request: { readonly headers: { readonly authorization?: string | undefined } }) =>
    auth.allows(request.headers.authorization);
  app.use(kubeRouter({ records, apps, clock, ids, random, log, streams, version, authenticate }));
  return app;
}

function statusOf(parts: ServerParts): ReturnType<typeof clusterStatus> {
  const { records, election, options, platform } = parts;
  return clusterStatus(records, {
    version: platform.version,
    cluster: options.cluster,
    leader: election.leader(),
    etcdEndpoints: options.etcdEndpoints,
    auth: options.auth.kind === 'loopback' ? 'none-loopback' : options.auth.kind,
    rewinds: records.rewinds(),
    etcdMessage: etcdText(records),
  });
}

function readiness({ records, election }: ServerParts): ReadyCheck[] {
  const leader = election.leader();
  const rewind = records.rewinds().at(-1);
  return [
    {
      name: 'mirror',
      ok: records.revision() > 0,
      message: records.revision() > 0 ? 'complete' : 'waits for the first list from etcd',
    },
    {
      name: 'etcd',
      ok: records.isFresh(),
      message: etcdText(records),
    },
    {
      name: 'leader',
      ok: leader !== undefined,
      message: leader === undefined ? 'nobody leads' : leader.marathonAddress,
    },
    ...(rewind === undefined
      ? []
      : [{ name: 'history', ok: records.isFresh(), message: rewindText(rewind, records.isFresh()) }]),
  ];
}

function etcdText(records: MirrorRecords): string {
  if (!records.isFresh()) return 'does not answer; what is read may be stale';
  const refusal = records.refusesWrites();
  return refusal === undefined ? 'answers' : `answers, but takes no writes: ${refusal}`;
}

function rewindText({ atMs, from, to }: Rewind, isTakenIn: boolean): string {
  const now = isTakenIn ? 'its records were taken in' : 'its records are being read anew';
  return `the store went back from revision ${from} to ${to} at ${timestamp(atMs)}; ${now}`;
}
