import { PromMetrics } from '../../../src/io/metrics/prom-metrics';

const lines = (text: string, name: string) => text.split('\n').filter((line) => line.startsWith(name));

describe('PromMetrics', () => {
  it('counts, sets and observes with labels', async () => {
    const metrics = new PromMetrics({ cluster: 'test' });
    const counter = metrics.counter({ name: 'berth_things_total', help: 'Things.', labels: ['kind'] });
    counter.inc({ kind: 'a' });
    counter.inc({ kind: 'a' }, 2);
    metrics.gauge({ name: 'berth_level', help: 'Level.' }).set(4.5);
    metrics.histogram({ name: 'berth_wait_seconds', help: 'Wait.', buckets: [0.1, 1] }).observe(0.5);
    const text = await metrics.render();
    expect(lines(text, 'berth_things_total')).toEqual(['berth_things_total{kind="a",cluster="test"} 3']);
    expect(lines(text, 'berth_level')).toEqual(['berth_level{cluster="test"} 4.5']);
    expect(lines(text, 'berth_wait_seconds_bucket')).toHaveLength(3);
    expect(metrics.contentType).toMatch(/^text\/plain/);
  });

  it('gives the same metric when asked twice', async () => {
    const metrics = new PromMetrics();
    const options = { name: 'berth_twice_total', help: 'Twice.' };
    metrics.counter(options).inc();
    metrics.counter(options).inc();
    expect(lines(await metrics.render(), 'berth_twice_total')).toEqual(['berth_twice_total 2']);
  });

  it('drops series of what has ended', async () => {
    const metrics = new PromMetrics();
    const labelled = metrics.gauge({ name: 'berth_task_up', help: 'Up.', labels: ['task'] });
    const plain = metrics.gauge({ name: 'berth_leader', help: 'Leads.', labels: [] });
    labelled.set(1, { task: 'a' });
    labelled.set(1, { task: 'b' });
    plain.set(1);
    labelled.remove({ task: 'a' });
    expect(lines(await metrics.render(), 'berth_task_up')).toEqual(['berth_task_up{task="b"} 1']);
    labelled.reset();
    plain.reset();
    const text = await metrics.render();
    expect([...lines(text, 'berth_task_up'), ...lines(text, 'berth_leader')]).toEqual([]);
    plain.set(0);
    expect(lines(await metrics.render(), 'berth_leader')).toEqual(['berth_leader 0']);
  });

  it('shows a total that somebody else counts, and drops it when its subject has ended', async () => {
    const metrics = new PromMetrics();
    const cpu = metrics.counter({ name: 'berth_task_cpu_seconds_total', help: 'CPU.', labels: ['task'] });
    const plain = metrics.counter({ name: 'berth_plain_total', help: 'Plain.' });
    cpu.inc({ task: 'a' }, 3);
    cpu.inc({ task: 'b' }, 4);
    cpu.reset();
    cpu.inc({ task: 'a' }, 5.5);
    cpu.inc({ task: 'c' }, 1);
    cpu.remove({ task: 'c' });
    plain.inc();
    plain.reset();
    const text = await metrics.render();
    expect(lines(text, 'berth_task_cpu')).toEqual(['berth_task_cpu_seconds_total{task="a"} 5.5']);
    expect(lines(text, 'berth_plain')).toEqual([]);
  });

  it('runs a collector no more once it has been taken back', async () => {
    const metrics = new PromMetrics();
    const counter = metrics.counter({ name: 'berth_scrapes_total', help: 'Scrapes.' });
    const stop = metrics.onCollect(() => counter.inc());
    await metrics.render();
    stop();
    expect(lines(await metrics.render(), 'berth_scrapes_total')).toEqual(['berth_scrapes_total 1']);
  });

  it('lets other work through while it renders, and renders once for all who ask meanwhile', async () => {
    const metrics = new PromMetrics();
    let collected = 0;
    metrics.onCollect(() => void (collected += 1));
    let turns = 0;
    const ticking = setInterval(() => (turns += 1), 0);
    const [one, two] = await Promise.all([metrics.render(), metrics.render()]);
    clearInterval(ticking);
    expect(two).toBe(one);
    expect(collected).toBe(1);
    expect(turns).toBeGreaterThan(0);
    await metrics.render();
    expect(collected).toBe(2);
  });

  it('runs collectors before each scrape, and survives one that throws', async () => {
    const metrics = new PromMetrics();
    const gauge = metrics.gauge({ name: 'berth_scrapes', help: 'Scrapes.' });
    let scrapes = 0;
    metrics.onCollect(() => {
      throw new Error('bug');
    });
    metrics.onCollect(() => gauge.set(++scrapes));
    await metrics.render();
    const text = await metrics.render();
    expect(lines(text, 'berth_scrapes')).toEqual(['berth_scrapes 2']);
    expect(lines(text, 'berth_collect_failures_total')).toEqual(['berth_collect_failures_total 2']);
  });

  it('keeps two sets of metrics in one process apart', async () => {
    const [one, two] = [new PromMetrics(), new PromMetrics()];
    one.gauge({ name: 'berth_only_one', help: 'One.' }).set(1);
    expect(await two.render()).not.toContain('berth_only_one');
  });

  it('escapes label values', async () => {
    const metrics = new PromMetrics();
    metrics.gauge({ name: 'berth_odd', help: 'Odd.', labels: ['name'] }).set(1, { name: 'a"b\\c\nd' });
    expect(await metrics.render()).toContain(String.raw`berth_odd{name="a\"b\\c\nd"} 1`);
  });
});
