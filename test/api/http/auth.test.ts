import { TokenAuth } from '../../../src/api/http/auth';
import type { Listening } from '../../../src/api/http/listen';
import { serve } from './server';

const basic = (user: string, password: string) => `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

describe('TokenAuth', () => {
  test.each([
    { header: 'Bearer s3cret', allowed: true },
    { header: 'bearer   s3cret', allowed: true },
    { header: basic('anybody', 's3cret'), allowed: true },
    { header: basic('', 's3cret'), allowed: true },
    { header: undefined, allowed: false },
    { header: '', allowed: false },
    { header: 'Bearer', allowed: false },
    { header: 'Bearer s3cre', allowed: false },
    { header: 'Bearer s3cret2', allowed: false },
    { header: basic('s3cret', ''), allowed: false },
    { header: `Basic ${Buffer.from('s3cret').toString('base64')}`, allowed: false },
    { header: 'Basic ====', allowed: false },
    { header: 'Digest s3cret', allowed: false },
    { header: 's3cret', allowed: false },
  ])('$header: $allowed', ({ header, allowed }) => {
    expect(new TokenAuth('s3cret\n').allows(header)).toBe(allowed);
  });

  test('a password may hold colons', () => {
    expect(new TokenAuth('a:b').allows(basic('user', 'a:b'))).toBe(true);
  });

  test('without a token all is allowed', () => {
    const auth = new TokenAuth(undefined);
    expect([auth.required, auth.allows(undefined), auth.allows('Bearer whatever')]).toEqual([false, true, true]);
  });

  test('an empty token file is no open door', () => {
    expect(() => new TokenAuth('  \n')).toThrow('the token is empty');
  });

  describe('as middleware', () => {
    let server: Listening & { readonly url: string };
    beforeAll(async () => {
      server = await serve((app) => {
        app.use(new TokenAuth('s3cret').middleware());
        app.use((_request, response) => void response.send('in'));
      });
    });
    afterAll(() => server.close(0));

    test('asks for a token in both ways', async () => {
      const answer = await fetch(`${server.url}/v2/apps`);
      expect(answer.status).toBe(401);
      expect(answer.headers.get('www-authenticate')).toBe('Bearer realm="berth", Basic realm="berth"');
      expect(await answer.text()).not.toContain('s3cret');
    });

    test('lets the right token in', async () => {
      const answer = await fetch(`${server.url}/v2/apps`, { headers: { authorization: 'Bearer s3cret' } });
      expect(await answer.text()).toBe('in');
    });

    test.each(['/healthz', '/readyz', '/ping'])('%s stays open', async (path) => {
      expect((await fetch(server.url + path)).status).toBe(200);
    });

    test.each(['/metrics', '/healthz/..%2fv2/apps', '/healthzz', '/v2/healthz', '/'])('%s does not', async (path) => {
      expect((await fetch(server.url + path)).status).toBe(401);
    });
  });
});
