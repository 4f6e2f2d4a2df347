import { messageOf } from '../../src/core/errors';

describe('the text of what was thrown', () => {
  const refused = (address: string) => new Error(`connect ECONNREFUSED ${address}`);

  test.each<{ name: string; thrown: unknown; text: string }>([
    { name: 'an error', thrown: refused('10.0.0.1:5050'), text: 'connect ECONNREFUSED 10.0.0.1:5050' },
    { name: 'no error', thrown: 'gone', text: 'gone' },
    {
      name: 'what Node.js throws when none of the addresses of a name answers: it has no text of its own',
      thrown: new AggregateError([refused('10.0.0.1:5050'), refused('10.0.0.2:5050')]),
      text: 'connect ECONNREFUSED 10.0.0.1:5050, connect ECONNREFUSED 10.0.0.2:5050',
    },
    {
      name: 'several errors with a text of their own',
      thrown: new AggregateError([refused('10.0.0.1:5050')], 'no server answers'),
      text: 'no server answers',
    },
  ])('$name', ({ thrown, text }) => {
    expect(messageOf(thrown)).toBe(text);
  });
});
