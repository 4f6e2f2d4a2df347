import type { Clock } from '../../core/ports/clock';
import type { Records } from '../../core/ports/records';
import { type Answer, ok } from './answer';
import { type Call, checkVerb, subjectOfCall } from './call';
import { listItems, refresh } from './list';
import { filterOf } from './query';
import { representList, representOne } from './represent';
import { scaleOf } from './scale';
import { notFound } from './status';
import { nameOf } from './target';
import { apiVersionOf } from './wire';

/** GET of objects and lists. */
export class Reads {
  constructor(
    private readonly records: Records,
    private readonly clock: Clock,
  ) {}

  async get(call: Call): Promise<Answer> {
    const { target, served, form, query } = call;
    checkVerb(target.resource, 'get');
    const warnings = await refresh(this.records, query.get('resourceVersion'));
    const item = served.source.get(nameOf(target));
    if (item === undefined) throw notFound(subjectOfCall(call));
    if (target.subresource === 'scale' && item.stored?.record.kind === 'App')
      return ok(scaleOf(item.object, item.stored.record, this.records), warnings);
    return ok(representOne(item, form, target.resource.kind, this.context()), warnings);
  }

  async list({ target, served, form, query }: Call): Promise<Answer> {
    const { resource, namespace } = target;
    checkVerb(resource, 'list');
    const filter = filterOf(resource, query, namespace);
    const { items, metadata, warnings } = await listItems(served.source, this.records, query, filter, namespace);
    const type = { apiVersion: apiVersionOf(resource.group), kind: resource.kind };
    return ok(representList(items, metadata, form, type, this.context()), warnings);
  }

  private context() {
    return { records: this.records, nowMs: this.clock.nowMs() };
  }
}
