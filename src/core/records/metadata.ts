import { z } from 'zod';

/** API group and version of every record, as kubectl sees it. */
export const API_GROUP = 'apps.berth.dev';
export const API_VERSION = `${API_GROUP}/v1`;

/**
 * Metadata of every record (Kubernetes: ObjectMeta). `resourceVersion` is never stored: it is the key's mod_revision.
 * Stored schemas are loose: a newer version may have written fields that this one must keep.
 */
export const metadataSchema = z.looseObject({
  name: z.string().min(1),
  namespace: z.string().optional(),
  uid: z.string().min(1),
  /** Rises by one with every change of spec. */
  generation: z.number().int().nonnegative(),
  /** ISO-8601, UTC. */
  creationTimestamp: z.string(),
  /** Set when deletion was asked for; the record goes when `finalizers` is empty. */
  deletionTimestamp: z.string().optional(),
  finalizers: z.array(z.string()).optional(),
  labels: z.record(z.string(), z.string()).optional(),
  annotations: z.record(z.string(), z.string()).optional(),
  managedFields: z.array(z.unknown()).optional(),
});

export type Metadata = z.infer<typeof metadataSchema>;

/** ISO-8601 with milliseconds, in UTC: the form of timestamps and of app versions. */
export function timestamp(nowMs: number): string {
  return new Date(nowMs).toISOString();
}

/** A condition of a status (Kubernetes form). */
export const conditionSchema = z.looseObject({
  type: z.string(),
  status: z.enum(['True', 'False', 'Unknown']),
  reason: z.string(),
  message: z.string(),
  lastTransitionTime: z.string(),
});

export type Condition = z.infer<typeof conditionSchema>;
