import type { IdSource } from '../core/ports/ids';
import type { Records } from '../core/ports/records';
import { instanceId, instancePath } from '../core/records/paths';

/**
 * The uuids of new instances. A write whose outcome nobody knows may have taken effect, now or later: the pass after it uses the
 * same uuids again, so that an app never gets its instances twice.
 */
export class InstanceDrafts {
  /** By app: handed out in this pass, and left over from passes whose write did not surely succeed. */
  private readonly drafts = new Map<string, { handedOut: string[]; spare: string[] }>();

  constructor(
    private readonly records: Records,
    private readonly ids: IdSource,
  ) {}

  /** A pass over the app begins: what the last one handed out and did not confirm is used first, unless it is on record. */
  begin(appId: string): void {
    const draft = this.drafts.get(appId);
    if (draft === undefined) return;
    const instances = this.records.collection('Instance');
    draft.spare = [...draft.handedOut, ...draft.spare].filter(
      (uuid) => instances.get(instancePath(instanceId(appId, uuid))) === undefined,
    );
    draft.handedOut = [];
    if (draft.spare.length === 0) this.drafts.delete(appId);
  }

  next(appId: string): string {
    const draft = this.drafts.get(appId) ?? { handedOut: [], spare: [] };
    this.drafts.set(appId, draft);
    const uuid = draft.spare.shift() ?? this.ids.uuid();
    draft.handedOut.push(uuid);
    return uuid;
  }

  /** Everything this pass handed out is on record. */
  written(appId: string): void {
    const draft = this.drafts.get(appId);
    if (draft === undefined) return;
    draft.handedOut = [];
    if (draft.spare.length === 0) this.drafts.delete(appId);
  }

  forget(appId: string): void {
    this.drafts.delete(appId);
  }
}
