import { parseFieldSelector, parseLabelSelector } from '../../../src/api/kube/selectors';
import { KubeError } from '../../../src/api/kube/status';

const front = { tier: 'front', 'berth.dev/zone': 'a' };

describe('parseLabelSelector', () => {
  test.each<{ selector: string; labels: Record<string, string>; matches: boolean }>([
    { selector: '', labels: {}, matches: true },
    { selector: 'tier=front', labels: front, matches: true },
    { selector: 'tier==front', labels: front, matches: true },
    { selector: 'tier = front', labels: front, matches: true },
    { selector: 'tier=back', labels: front, matches: false },
    { selector: 'tier=front', labels: {}, matches: false },
    { selector: 'tier!=back', labels: front, matches: true },
    { selector: 'tier!=front', labels: front, matches: false },
    { selector: 'tier!=front', labels: {}, matches: true },
    { selector: 'tier in (front, back)', labels: front, matches: true },
    { selector: 'tier in (back)', labels: front, matches: false },
    { selector: 'tier notin (back,side)', labels: front, matches: true },
    { selector: 'tier notin (front)', labels: front, matches: false },
    { selector: 'tier notin (front)', labels: {}, matches: true },
    { selector: 'tier', labels: front, matches: true },
    { selector: 'tier', labels: {}, matches: false },
    { selector: '!tier', labels: {}, matches: true },
    { selector: '!tier', labels: front, matches: false },
    { selector: 'tier=front,berth.dev/zone=a', labels: front, matches: true },
    { selector: 'tier in (front),berth.dev/zone notin (a)', labels: front, matches: false },
    { selector: 'tier=', labels: { tier: '' }, matches: true },
    { selector: 'toString', labels: {}, matches: false },
  ])('$selector on $labels: $matches', ({ selector, labels, matches }) => {
    expect(parseLabelSelector(selector)(labels)).toBe(matches);
  });

  test.each([
    'tier in (front',
    'tier in front)',
    'a b',
    '=front',
    'tier=fr ont',
    'tier=front!',
    '-tier',
    'tier in ((a))',
  ])('refuses %s', (selector) => {
    expect(() => parseLabelSelector(selector)).toThrow(KubeError);
  });
});

describe('parseFieldSelector', () => {
  const supported = new Set(['metadata.name', 'status.state']);
  const field = (path: string) => ({ 'metadata.name': 'web', 'status.state': 'a,b' })[path] ?? '';

  test.each<{ selector: string; matches: boolean }>([
    { selector: '', matches: true },
    { selector: 'metadata.name=web', matches: true },
    { selector: 'metadata.name==web', matches: true },
    { selector: 'metadata.name=api', matches: false },
    { selector: 'metadata.name!=api', matches: true },
    { selector: 'metadata.name=web,status.state!=x', matches: true },
    { selector: 'metadata.name=web,status.state=x', matches: false },
    { selector: 'status.state=a\\,b', matches: true },
  ])('$selector: $matches', ({ selector, matches }) => {
    expect(parseFieldSelector(selector, supported)(field)).toBe(matches);
  });

  test('names the fields it knows when asked for another', () => {
    expect(() => parseFieldSelector('spec.foo=1', supported)).toThrow(
      'field label not supported: spec.foo (supported: metadata.name, status.state)',
    );
  });

  test('refuses what is no selector', () => {
    expect(() => parseFieldSelector('metadata.name', supported)).toThrow("can't understand");
  });
});
