import type { Response } from 'express';
import { BadRequestError, UnavailableError } from '../../../src/core/errors';
import { RecordingLogger } from '../../support/fakes';
import { serve } from './server';

async function answerTo(act: (response: Response) => void | Promise<void>) {
  const log = new RecordingLogger();
  const server = await serve((app) => app.get('/:id', (_request, response) => act(response)), log);
  const ask = async (path = '/x') => {
    const answer = await fetch(server.url + path);
    return { status: answer.status, headers: answer.headers, body: await answer.text() };
  };
  return { ask, log, close: () => server.close(0) };
}

describe('errorHandler', () => {
  test('answers an expected failure by the table and logs nothing', async () => {
    const { ask, log, close } = await answerTo(() => Promise.reject(new BadRequestError('no')));
    const { status, body } = await ask();
    expect([status, JSON.parse(body), log.lines]).toEqual([400, { message: 'no' }, []]);
    await close();
  });

  test('503 says when to come again', async () => {
    const { ask, close } = await answerTo(() => Promise.reject(new UnavailableError('etcd')));
    const { status, headers } = await ask();
    expect([status, headers.get('retry-after')]).toEqual([503, '1']);
    await close();
  });

  test('keeps the text of a bug in the log', async () => {
    const { ask, log, close } = await answerTo(() => Promise.reject(new Error('inner detail')));
    const { status, body } = await ask();
    expect(status).toBe(500);
    expect(body).not.toContain('inner detail');
    expect(String(log.lines[0]?.fields['error'])).toContain('inner detail');
    await close();
  });

  test('a path that cannot be decoded is the fault of the client', async () => {
    const { ask, close } = await answerTo((response) => void response.end());
    expect((await ask('/%zz')).status).toBe(400);
    await close();
  });

  test('cuts an answer that has begun, so that it does not look complete', async () => {
    const { ask, close } = await answerTo((response) => {
      response.write('{"apps":[');
      throw new UnavailableError('etcd');
    });
    await expect(ask()).rejects.toThrow();
    await close();
  });
});
