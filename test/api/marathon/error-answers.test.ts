import { BadGatewayError } from '../../../src/api/http/proxy';
import { answerOf } from '../../../src/api/marathon/error-answers';
import {
  AlreadyExistsError,
  BadRequestError,
  CompactedError,
  ConflictError,
  FencedError,
  ForbiddenError,
  InvalidError,
  LockedError,
  NotFoundError,
  TimeoutError,
  TooLargeError,
  UnavailableError,
} from '../../../src/core/errors';

describe('answerOf', () => {
  test.each<{ error: Error | undefined; status: number; body: object }>([
    { error: new NotFoundError('App', '/x'), status: 404, body: { message: "App '/x' does not exist" } },
    { error: new NotFoundError('Rollout', 'r'), status: 404, body: { message: 'DeploymentPlan r does not exist' } },
    {
      error: new AlreadyExistsError('App', '/x'),
      status: 409,
      body: { message: 'An app with id [/x] already exists.' },
    },
    { error: new ConflictError('k', 7), status: 409, body: { message: 'k is no longer at revision 7' } },
    {
      error: new LockedError(['a', 'b']),
      status: 409,
      body: {
        message: expect.stringContaining('locked by one or more') as string,
        deployments: [{ id: 'a' }, { id: 'b' }],
      },
    },
    {
      error: new InvalidError([
        { path: '/id', message: 'one' },
        { path: '/', message: 'two' },
        { path: '/id', message: 'three' },
      ]),
      status: 422,
      body: {
        message: 'Object is not valid',
        details: [
          { path: '/id', errors: ['one', 'three'] },
          { path: '/', errors: ['two'] },
        ],
      },
    },
    { error: new InvalidError([], 'no timestamp'), status: 422, body: { message: 'no timestamp' } },
    {
      error: new BadRequestError('Invalid JSON', 'at 1'),
      status: 400,
      body: { message: 'Invalid JSON', details: 'at 1' },
    },
    { error: new ForbiddenError('Max number'), status: 403, body: { message: 'Max number' } },
    { error: new TooLargeError('big'), status: 413, body: { message: 'big' } },
    { error: new FencedError(), status: 503, body: { message: expect.any(String) as string } },
    { error: new CompactedError(5), status: 503, body: { message: expect.any(String) as string } },
    { error: new UnavailableError('store'), status: 503, body: { message: 'store is unavailable' } },
    { error: new TimeoutError('store', 5), status: 503, body: { message: 'store did not finish within 5 ms' } },
    {
      error: new BadGatewayError('Detected proxying loop.'),
      status: 502,
      body: { message: 'Detected proxying loop.' },
    },
    { error: new Error('secret detail'), status: 500, body: { message: 'Internal error; the server log has it' } },
    { error: undefined, status: 500, body: { message: 'Internal error; the server log has it' } },
  ])('$error: $status', ({ error, status, body }) => {
    expect(answerOf(error)).toEqual({ status, body });
  });
});
