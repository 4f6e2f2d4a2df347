import { X509Certificate } from 'node:crypto';
import type { Metrics } from '../core/ports/metrics';

/** Which program this is and of which version. */
export function tellBuild(metrics: Metrics, component: 'server' | 'agent', version: string): void {
  metrics
    .gauge({
      name: 'berth_build_info',
      help: 'Always 1; what runs here, and on which Node.js.',
      labels: ['component', 'version', 'node_version'],
    })
    .set(1, { component, version, node_version: process.versions.node });
}

/** When a certificate of this process ends. @param name which one: `http`, `kubernetes`; `etcd`: shown to etcd as a client */
export function tellCertificate(metrics: Metrics, name: string, pem: string): void {
  metrics
    .gauge({
      name: 'berth_certificate_expiry_timestamp_seconds',
      help: 'When a certificate of this process ends, seconds since 1970.',
      labels: ['certificate'],
    })
    .set(Date.parse(new X509Certificate(pem).validTo) / 1000, { certificate: name });
}
