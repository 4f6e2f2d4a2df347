import type { ICompare, IRequestOp, IResponseOp, ITxnRequest, ITxnResponse } from 'etcd3';
import { ConflictError, FencedError } from '../../core/errors';
import type { Fence, Write } from '../../core/ports/store';
import type { Commit, CommitOutcome } from './group-commit';

/**
 * A group of commits as one etcd transaction. Each commit is a transaction of its own inside it, with its own compares, so
 * that a conflict of one does not touch the others. (etcd evaluates all compares before it writes anything: hence no two
 * commits of a group may share a key that one of them writes.) Requires etcd 3.3.
 */
export function requestOf(group: readonly Commit[]): ITxnRequest {
  const [first] = group;
  if (group.length === 1 && first !== undefined) return commitRequest(first);
  return { success: group.map((commit) => ({ request_txn: commitRequest(commit) })) };
}

/** What became of each commit of the group. */
export function outcomesOf(group: readonly Commit[], answer: ITxnResponse): CommitOutcome[] {
  const revision = Number(answer.header.revision);
  const [first] = group;
  if (group.length === 1 && first !== undefined) return [outcome(first, answer, revision)];
  return group.map((commit, i) => {
    const nested = answer.responses[i]?.response_txn;
    return nested === undefined ? new Error('etcd left out an answer') : outcome(commit, nested, revision);
  });
}

function commitRequest({ writes, fence }: Commit): ITxnRequest {
  const expecting = writes.filter((write) => write.expect !== undefined);
  return {
    compare: [...(fence === undefined ? [] : [fenceCompare(fence)]), ...expecting.map(expectCompare)],
    success: writes.flatMap(operation),
    // When a compare fails: which one. Values are not needed for that.
    failure: [...(fence === undefined ? [] : [look(fence.key)]), ...expecting.map((write) => look(write.key))],
  };
}

function fenceCompare(fence: Fence): ICompare {
  return { result: 'Equal', target: 'Create', key: Buffer.from(fence.key), create_revision: fence.createRevision };
}

function expectCompare(write: Write): ICompare {
  return { result: 'Equal', target: 'Mod', key: Buffer.from(write.key), mod_revision: write.expect ?? 0 };
}

function operation(write: Write): IRequestOp[] {
  const key = Buffer.from(write.key);
  switch (write.kind) {
    case 'put':
      return [{ request_put: { key, value: Buffer.from(write.value) } }];
    case 'delete':
      return [{ request_delete_range: { key } }];
    case 'check':
      return [];
  }
}

function look(key: string): IRequestOp {
  return { request_range: { key: Buffer.from(key), keys_only: true } };
}

function outcome({ writes, fence }: Commit, answer: ITxnResponse, revision: number): CommitOutcome {
  if (answer.succeeded) return revision;
  const seen = answer.responses.map(seenRevisions);
  if (fence !== undefined && seen.shift()?.created !== fence.createRevision) return new FencedError();
  const expecting = writes.filter((write) => write.expect !== undefined);
  const lost = expecting.find((write, i) => seen[i]?.modified !== write.expect) ?? expecting[0];
  return lost === undefined
    ? new Error('etcd refused a commit that expects nothing')
    : new ConflictError(lost.key, lost.expect ?? 0);
}

/** 0 and 0 of a key that does not exist. */
function seenRevisions(response: IResponseOp): { readonly created: number; readonly modified: number } {
  const [found] = response.response_range.kvs;
  return found === undefined
    ? { created: 0, modified: 0 }
    : { created: Number(found.create_revision), modified: Number(found.mod_revision) };
}
