import { API_GROUP } from '../../core/records/metadata';
import { type JsonObject, objectAt } from './json';
import { noSuchPath } from './status';

/**
 * Access reviews. There is one token and who has it may do everything, so that the answer is always yes; user interfaces
 * and `kubectl auth` ask all the same.
 */
export function review(group: string, plural: string, object: JsonObject): JsonObject {
  const base = { apiVersion: `${group}/v1`, metadata: {} };
  const key = `${group}/${plural}`;
  switch (key) {
    case 'authorization.k8s.io/selfsubjectaccessreviews':
      return {
        ...base,
        kind: 'SelfSubjectAccessReview',
        spec: objectAt(object, 'spec'),
        status: { allowed: true, reason: 'the token may do everything' },
      };
    case 'authorization.k8s.io/selfsubjectrulesreviews':
      return {
        ...base,
        kind: 'SelfSubjectRulesReview',
        spec: {},
        status: {
          resourceRules: [{ verbs: ['*'], apiGroups: ['', API_GROUP], resources: ['*'] }],
          nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
          incomplete: false,
        },
      };
    case 'authentication.k8s.io/selfsubjectreviews':
      return {
        ...base,
        kind: 'SelfSubjectReview',
        status: { userInfo: { username: 'admin', groups: ['system:authenticated'] } },
      };
    default:
      throw noSuchPath();
  }
}
