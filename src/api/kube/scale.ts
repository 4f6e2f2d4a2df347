import type { App } from '../../core/records/app';
import { countsOf, instancesOf } from '../../core/lifecycle/views';
import type { Records } from '../../core/ports/records';
import { isObject, type JsonObject, objectAt } from './json';
import { badRequest, invalidField } from './status';
import { subjectOf } from './draft';
import type { RecordResource } from './resources';
import type { WireObject } from './wire';

/** The `scale` subresource of an app: `autoscaling/v1 Scale`. */
export function scaleOf(app: WireObject, record: App, records: Records): JsonObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = app.metadata;
  const running = record.status?.tasksRunning ?? countsOf(instancesOf(records, record.spec.id)).tasksRunning;
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: { replicas: record.spec.instances },
    status: { replicas: running },
  };
}

/** The app with the number of instances that a Scale asks for. Throws 400, 422. */
export function withScale(app: WireObject, scale: JsonObject, resource: RecordResource): WireObject {
  const { apiVersion, kind } = scale;
  if ((apiVersion !== undefined && apiVersion !== 'autoscaling/v1') || (kind !== undefined && kind !== 'Scale'))
    throw badRequest(`${String(apiVersion)}, Kind=${String(kind)} cannot be handled as a Scale of autoscaling/v1`);
  const spec = scale['spec'];
  // A Scale leaves zero out.
  const replicas = isObject(spec) ? (spec['replicas'] ?? 0) : 0;
  if (typeof replicas !== 'number' || !Number.isInteger(replicas) || replicas < 0)
    throw invalidField(
      subjectOf(resource, String(app.metadata['name'])),
      'spec.replicas',
      `Invalid value: ${JSON.stringify(replicas)}: must be a whole number of zero or more`,
    );
  const { resourceVersion, uid } = objectAt(scale, 'metadata');
  return {
    ...app,
    metadata: {
      ...app.metadata,
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
      ...(uid === undefined ? {} : { uid }),
    },
    spec: { ...objectAt(app, 'spec'), instances: replicas },
  };
}
