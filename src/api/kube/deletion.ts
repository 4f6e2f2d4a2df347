import type { Records } from '../../core/ports/records';
import { ConflictError } from '../../core/errors';
import { LIMITS } from '../../core/limits';
import { type Answer, ok } from './answer';
import { readValue } from './body';
import { type Call, checkVerb, dryRunOf, subjectOfCall } from './call';
import { subjectOf } from './draft';
import { isObject, type JsonObject, objectAt } from './json';
import { refresh } from './list';
import { filterOf } from './query';
import type { RemoveOptions, Saver } from './saver';
import type { Item } from './source';
import { badRequest, conflict, deleted, deletionErrorOf, methodNotAllowed, notFound } from './status';
import { nameOf } from './target';
import { apiVersionOf } from './wire';

/** DELETE of objects and collections. */
export class Deletion {
  constructor(private readonly records: Records) {}

  async remove(call: Call): Promise<Answer> {
    const { target, served } = call;
    const saver = deletableBy(call, 'delete');
    if (target.subresource !== undefined) throw methodNotAllowed('a subresource cannot be deleted');
    const { options, preconditions } = await this.optionsOf(call);
    await refresh(this.records, '0');
    const name = nameOf(target);
    for (let attempt = 1; ; attempt++) {
      const item = served.source.get(name) ?? (await this.lookAgain(call));
      if (item === undefined) throw notFound(subjectOfCall(call));
      checkPreconditions(item, preconditions, call);
      const subject = subjectOf(target.resource, target.name, item.object.metadata['uid']);
      try {
        await saver.remove(item, options, subject);
      } catch (error) {
        if (error instanceof ConflictError && attempt < LIMITS.writeAttempts) {
          await this.records.sync();
          continue;
        }
        throw deletionErrorOf(error, subject) ?? error;
      }
      const rest = served.source.get(name);
      const isSame = rest !== undefined && rest.object.metadata['uid'] === item.object.metadata['uid'];
      return ok(isSame && !options.dryRun ? rest.object : deleted(subject));
    }
  }

  /** Every object that matches, one after the other; the first refusal ends it. */
  async removeCollection(call: Call): Promise<Answer> {
    const { target, served, query } = call;
    const saver = deletableBy(call, 'deletecollection');
    const { options } = await this.optionsOf(call);
    await refresh(this.records, null);
    const filter = filterOf(target.resource, query, target.namespace);
    const items = served.source.list(target.namespace).filter(filter);
    for (const item of items) {
      const subject = subjectOf(target.resource, item.name.name, item.object.metadata['uid']);
      try {
        await saver.remove(served.source.get(item.name) ?? item, options, subject);
      } catch (error) {
        throw deletionErrorOf(error, subject) ?? error;
      }
    }
    return ok({
      apiVersion: apiVersionOf(target.resource.group),
      kind: `${target.resource.kind}List`,
      metadata: { resourceVersion: String(this.records.revision()) },
      items: items.map((item) => item.object),
    });
  }

  /** Not in the mirror: it may have been made on another replica just now. */
  private async lookAgain({ served, target }: Call): Promise<Item | undefined> {
    await refresh(this.records, null);
    return served.source.get(nameOf(target));
  }

  private async optionsOf({ request, query }: Call): Promise<{ options: RemoveOptions; preconditions: JsonObject }> {
    const value = (await readValue(request)) ?? {};
    if (!isObject(value)) throw badRequest('DeleteOptions must be an object');
    const grace = value['gracePeriodSeconds'] ?? query.get('gracePeriodSeconds') ?? undefined;
    const seconds = grace === undefined ? undefined : Number(grace);
    if (seconds !== undefined && !Number.isInteger(seconds))
      throw badRequest('gracePeriodSeconds must be a whole number');
    const policy = value['propagationPolicy'] ?? query.get('propagationPolicy') ?? undefined;
    return {
      options: {
        dryRun: dryRunOf(query, value),
        ...(seconds === undefined ? {} : { gracePeriodSeconds: seconds }),
        ...(typeof policy === 'string' ? { propagationPolicy: policy } : {}),
      },
      preconditions: objectAt(value, 'preconditions'),
    };
  }
}

function deletableBy(call: Call, verb: 'delete' | 'deletecollection'): Saver {
  checkVerb(call.target.resource, verb);
  const { saver } = call.served;
  if (saver === undefined) throw methodNotAllowed(`${call.target.resource.kind} cannot be deleted`);
  return saver;
}

function checkPreconditions(item: Item, { uid, resourceVersion }: JsonObject, call: Call): void {
  const subject = subjectOfCall(call);
  const actual = item.object.metadata['uid'];
  if (typeof uid === 'string' && uid !== '' && uid !== actual)
    throw conflict(subject, `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${String(actual)}`);
  if (typeof resourceVersion === 'string' && resourceVersion !== '' && resourceVersion !== String(item.revision))
    throw conflict(
      subject,
      `Precondition failed: ResourceVersion in precondition: ${resourceVersion}, ResourceVersion in object meta: ${item.revision}`,
    );
}
