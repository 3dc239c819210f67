// Each command and each report of a rollout, on a few devices: what it changes, and where it changes nothing.

import { describe, expect, test } from 'vitest';
import {
  type DeviceRecord,
  type DeviceReport,
  type Gate,
  nothingMeasured,
  RolloutEngine,
  type RolloutSetup,
  waitingDevice,
} from '../../../src/fleet/index.js';

const failed: Gate = { measure: 'failed', maxBad: 0.5, minimum: 1, confidence: 0.95, action: 'pause' };
const report: DeviceReport = {
  seq: 1,
  attempt: 1,
  about: 'new',
  state: 'confirmed',
  code: null,
  proved: true,
  measured: nothingMeasured,
};

/** `a` and `b` in the first wave, `c` in the second. */
function engineOf(changes: Partial<RolloutSetup> = {}, devices?: readonly DeviceRecord[]): RolloutEngine {
  const records = devices ?? [waitingDevice('a', 0, 0), waitingDevice('b', 0, 1), waitingDevice('c', 1, 2)];
  return new RolloutEngine(
    {
      waves: 2,
      gates: [],
      deadlines: { notified: 1000, downloading: 2000, verified: 1000, pending: 1000 },
      concurrency: 10,
      paceMs: 0,
      ...changes,
    },
    records,
  );
}

function started(changes: Partial<RolloutSetup> = {}): RolloutEngine {
  const engine = engineOf(changes);
  engine.resume(0);
  engine.drain();
  return engine;
}

const nothing = { devices: [], events: [] };
const phases = (engine: RolloutEngine): Record<string, string | undefined> =>
  Object.fromEntries(['a', 'b', 'c'].map((id) => [id, engine.device(id)?.phase]));

describe('beginning and pausing', () => {
  test('starts once; a running rollout is not started again', () => {
    const engine = engineOf();
    expect(engine.state.phase).toBe('planned');
    engine.pause('too early');
    expect(engine.drain()).toEqual(nothing);
    engine.resume(0);
    expect(engine.drain().events).toEqual([
      { kind: 'wave', wave: 0, devices: 2 },
      { kind: 'phase', phase: 'running', reason: '', by: null },
    ]);
    engine.resume(1);
    expect(engine.drain()).toEqual(nothing);
  });

  test('a pause notifies nobody; devices in flight continue', () => {
    const engine = started();
    engine.pause('lunch');
    expect(engine.state).toMatchObject({ phase: 'paused', reason: 'lunch', by: 'user' });
    engine.report('a', report, 10);
    engine.report('b', report, 10);
    expect(phases(engine)).toEqual({ a: 'confirmed', b: 'confirmed', c: 'waiting' });
    engine.overrule(11);
    expect(engine.state.phase).toBe('paused');
    engine.resume(12);
    expect(phases(engine).c).toBe('notified');
    expect(engine.state).toMatchObject({ reason: '', by: null, wave: 1 });
  });

  test('a gate that paused is overruled for its wave only', () => {
    const engine = started({ gates: [{ ...failed, maxBad: 0 }] });
    engine.overrule(1);
    expect(engine.state.overruled).toBe(-1);
    engine.report('a', { ...report, state: 'failed', code: 'X' }, 10);
    expect(engine.state).toMatchObject({ phase: 'paused', by: 'gate', wave: 0 });
    expect(engine.state.reason).toMatch(/^gate 1, failed: 1 of 1 bad in wave 1/);
    engine.overrule(20);
    expect(engine.state).toMatchObject({ phase: 'running', overruled: 0, by: null });
    // The wave still has to end.
    expect(phases(engine).c).toBe('waiting');
    engine.report('b', report, 30);
    expect(phases(engine).c).toBe('notified');
  });
});

describe('a device that was deleted', () => {
  test('is not counted, and the rollout goes on without it', () => {
    const engine = started();
    engine.remove('a', 5);
    expect(engine.device('a')).toMatchObject({ phase: 'removed', since: 5, desired: 'nothing', published: true });
    expect([engine.size, engine.inFlightCount]).toEqual([2, 1]);
    expect(engine.drain().events).toEqual([{ kind: 'device', id: 'a', phase: 'removed', code: null }]);
    engine.report('b', report, 10);
    expect(phases(engine).c).toBe('notified');
  });

  test('changes nothing if it is unknown, confirmed or removed already', () => {
    const engine = started();
    engine.remove('a', 5);
    engine.report('b', report, 10);
    engine.drain();
    for (const id of ['nobody', 'a', 'b']) engine.remove(id, 20);
    expect(engine.drain()).toEqual(nothing);
    expect(engine.device('a')?.since).toBe(5);
  });

  test('while it waits, is skipped', () => {
    const engine = started({ concurrency: 1 });
    engine.remove('b', 5);
    engine.report('a', report, 10);
    expect(phases(engine)).toEqual({ a: 'confirmed', b: 'removed', c: 'notified' });
    expect(engine.device('b')?.attempt).toBe(0);
  });

  test('a wave without devices pauses the rollout, the last one ends it', () => {
    const engine = started({ gates: [failed] });
    engine.remove('a', 5);
    engine.remove('b', 6);
    expect(engine.state).toMatchObject({
      phase: 'paused',
      by: 'gate',
      reason: 'wave 1 has no devices left to judge',
    });
    engine.overrule(7);
    expect(engine.state.wave).toBe(1);
    engine.remove('c', 8);
    expect(engine.state).toMatchObject({ phase: 'done', by: null });
    // Without gates nothing is asked.
    const free = started();
    for (const id of ['a', 'b']) free.remove(id, 5);
    expect(free.state).toMatchObject({ phase: 'running', wave: 1 });
  });
});

describe('a device that joins', () => {
  test('is part of the last wave, behind all others', () => {
    const engine = started();
    engine.join('d', nothingMeasured, 3);
    expect(engine.device('d')).toMatchObject({ wave: 1, place: 3, phase: 'waiting', attempt: 0 });
    expect(engine.drain().events).toEqual([{ kind: 'joined', id: 'd' }]);
    expect(engine.size).toBe(4);
    expect(engine.counts()[1]).toEqual({ waiting: 2 });
    engine.join('e', nothingMeasured, 4);
    expect(engine.device('e')?.place).toBe(4);
  });

  test('that is known changes nothing, unless it was removed: its attempts go on', () => {
    const engine = started();
    engine.join('a', nothingMeasured, 3);
    expect(engine.drain()).toEqual(nothing);
    engine.remove('a', 4);
    engine.join('a', nothingMeasured, 5);
    expect(engine.device('a')).toMatchObject({ wave: 1, phase: 'waiting', attempt: 1 });
    expect(engine.counts()).toEqual([{ notified: 1 }, { waiting: 2 }]);
    expect(engine.size).toBe(3);
  });

  test('in the last wave is judged with it, and notified', () => {
    const engine = started({ gates: [failed] });
    for (const id of ['a', 'b']) engine.report(id, report, 10);
    engine.join('d', nothingMeasured, 20);
    expect(engine.device('d')?.phase).toBe('notified');
    engine.report('c', report, 30);
    expect(engine.state.phase).toBe('running');
    engine.report('d', { ...report, state: 'failed' }, 40);
    expect(engine.judgements()[0]).toMatchObject({ bad: 1, measured: 2 });
  });

  test('does not begin a rollout, and is not admitted to one that is stopped', () => {
    const planned = engineOf();
    planned.join('d', nothingMeasured, 1);
    expect(planned.state.phase).toBe('planned');
    expect(planned.device('d')?.phase).toBe('waiting');
    const stopped = started();
    stopped.abort('by the user', false, 5);
    stopped.drain();
    stopped.join('d', nothingMeasured, 6);
    expect([stopped.device('d'), stopped.drain()]).toEqual([null, nothing]);
    const back = started();
    back.report('a', report, 5);
    back.abort('by the user', true, 6);
    expect(back.state.phase).toBe('rolling-back');
    back.join('d', nothingMeasured, 7);
    expect(back.device('d')).toBeNull();
  });

  test('continues a rollout that is done', () => {
    const engine = started();
    for (const id of ['a', 'b', 'c']) engine.report(id, report, 10);
    expect(engine.state.phase).toBe('done');
    engine.join('d', nothingMeasured, 20);
    expect(engine.state.phase).toBe('running');
    expect(engine.device('d')?.phase).toBe('notified');
  });
});

describe('what is at the broker', () => {
  test('is marked for this attempt and this message only, once', () => {
    const engine = started();
    engine.markPublished('a', 2, 'new');
    engine.markPublished('a', 1, 'old');
    engine.markPublished('nobody', 1, 'new');
    expect(engine.drain()).toEqual(nothing);
    engine.markPublished('a', 1, 'new');
    expect(engine.drain().devices).toMatchObject([{ id: 'a', published: true, phase: 'notified' }]);
    engine.markPublished('a', 1, 'new');
    expect(engine.drain()).toEqual(nothing);
  });

  test('is sent again if the broker has lost it', () => {
    const engine = started();
    engine.markPublished('a', 1, 'new');
    engine.drain();
    engine.republish('a');
    engine.republish('nobody');
    expect(engine.drain().devices).toMatchObject([{ id: 'a', published: false }]);
  });
});

describe('reports', () => {
  test('of devices that were not notified, of other attempts, and of unknown devices change nothing', () => {
    const engine = started({ concurrency: 1 });
    engine.report('b', { ...report, attempt: 0 }, 5);
    engine.report('a', { ...report, attempt: 2 }, 5);
    engine.report('a', { ...report, attempt: 0 }, 5);
    engine.report('nobody', report, 5);
    expect(engine.drain()).toEqual(nothing);
  });

  test('with a lower number count after a restart of the device only', () => {
    const engine = started();
    engine.report('a', { ...report, seq: 9, state: 'downloading' }, 5);
    engine.report('a', { ...report, seq: 3, state: 'verified' }, 6);
    expect(engine.device('a')).toMatchObject({ phase: 'downloading', seq: 9, since: 5 });
    engine.report('a', { ...report, seq: 3, state: 'downloading', restarted: true }, 7);
    // The phase is the same: it has lasted since then.
    expect(engine.device('a')).toMatchObject({ phase: 'downloading', seq: 3, since: 5 });
  });

  test('carry measurements at the end only', () => {
    const engine = started();
    const measured = { ...nothingMeasured, p95Ms: 7 };
    engine.report('a', { ...report, seq: 1, state: 'pending', measured }, 5);
    expect(engine.device('a')?.measured).toEqual(nothingMeasured);
    engine.report('a', { ...report, seq: 2, measured }, 6);
    expect(engine.device('a')?.measured).toEqual(measured);
    engine.report('b', { ...report, seq: 2, state: 'rolled-back', measured }, 6);
    expect(engine.device('b')?.measured).toEqual(measured);
  });

  test('of success without proof are failures', () => {
    const engine = started();
    engine.report('a', { ...report, proved: false }, 5);
    expect(engine.device('a')).toMatchObject({ phase: 'failed', code: 'CHALLENGE' });
    expect(engine.drain().events).toEqual([{ kind: 'device', id: 'a', phase: 'failed', code: 'CHALLENGE' }]);
    engine.report('b', { ...report, state: 'verified', proved: false }, 5);
    expect(engine.device('b')?.phase).toBe('verified');
  });

  test('of work that was called back: the device is told again', () => {
    const engine = started();
    engine.abort('by the user', false, 5);
    engine.markPublished('a', 1, 'nothing');
    engine.report('a', { ...report, seq: 2, state: 'downloading' }, 6);
    expect(engine.device('a')).toMatchObject({ phase: 'withdrawn', desired: 'nothing', published: false, seq: 2 });
    engine.report('b', { ...report, seq: 2 }, 6);
    expect(engine.device('b')?.phase).toBe('confirmed');
  });
});

describe('time', () => {
  test('a device is unknown once its phase has lasted longer than its deadline', () => {
    const engine = started();
    engine.report('b', { ...report, state: 'downloading' }, 500);
    engine.drain();
    engine.tick(1000);
    expect(engine.drain()).toEqual(nothing);
    engine.tick(1001);
    expect(engine.device('a')).toMatchObject({ phase: 'unknown', since: 1001 });
    expect(engine.device('b')?.phase).toBe('downloading');
    engine.tick(2501);
    expect(engine.device('b')?.phase).toBe('unknown');
  });

  test('notifications keep their pace, with a burst after a quiet second', () => {
    const devices = Array.from({ length: 40 }, (_, i) => waitingDevice(`d${i}`, 0, i));
    const engine = engineOf({ waves: 1, paceMs: 100, concurrency: 100 }, devices);
    engine.resume(5000);
    expect(engine.inFlightCount).toBe(11);
    engine.tick(5099);
    expect(engine.inFlightCount).toBe(11);
    engine.tick(5100);
    expect(engine.inFlightCount).toBe(12);
  });
});

describe('retrying', () => {
  test('takes devices that failed or fell silent, behind all others; the gates judge again', () => {
    const engine = started({ gates: [{ ...failed, maxBad: 0 }] });
    engine.report('a', { ...report, state: 'failed', code: 'X' }, 5);
    engine.overrule(6);
    engine.report('b', report, 7);
    engine.report('c', report, 8);
    expect(engine.state).toMatchObject({ phase: 'done', overruled: 0 });
    engine.retry(['nobody', 'b'], 9);
    expect(engine.state).toMatchObject({ phase: 'done', overruled: 0 });
    engine.retry(['a'], 10);
    expect(engine.device('a')).toMatchObject({ phase: 'notified', place: 3, attempt: 2, code: null, wave: 0 });
    expect(engine.state).toMatchObject({ phase: 'running', overruled: -1 });
    engine.join('d', nothingMeasured, 11);
    expect(engine.device('d')?.place).toBe(4);
  });

  test('is for rollouts that were not stopped', () => {
    const engine = started();
    engine.report('a', { ...report, state: 'failed' }, 5);
    engine.abort('by the user', false, 6);
    engine.drain();
    engine.retry(['a'], 7);
    expect(engine.drain()).toEqual(nothing);
    expect(engine.device('a')?.phase).toBe('failed');
  });
});

describe('stopping', () => {
  test('calls back whoever has not finished, once', () => {
    const engine = started({ concurrency: 1 });
    engine.abort('by the user', false, 5);
    expect(phases(engine)).toEqual({ a: 'withdrawn', b: 'waiting', c: 'waiting' });
    expect(engine.state).toMatchObject({ phase: 'stopped', reason: 'by the user', by: 'user', verdict: null });
    expect(engine.device('a')).toMatchObject({ desired: 'nothing', published: false });
    engine.drain();
    engine.abort('again', true, 6);
    expect(engine.drain()).toEqual(nothing);
  });

  test('with a roll-back, devices that may run the new model go back once the window is open', () => {
    const engine = started();
    engine.report('a', report, 5);
    engine.report('b', { ...report, state: 'failed', code: 'SELF_TEST_FAILED' }, 5);
    engine.abort('by the user', true, 6);
    expect(phases(engine)).toEqual({ a: 'returning', b: 'failed', c: 'returning' });
    engine.tick(7);
    expect(engine.inFlightCount).toBe(0);
    engine.openWindow(true);
    engine.tick(8);
    expect(engine.device('a')).toMatchObject({ phase: 'notified', desired: 'old', attempt: 2 });
    engine.report('a', { ...report, seq: 5, attempt: 2, about: 'new' }, 9);
    expect(engine.device('a')).toMatchObject({ phase: 'notified', seq: 5 });
    engine.report('a', { ...report, seq: 6, attempt: 2, about: 'old' }, 10);
    expect(engine.device('a')).toMatchObject({ phase: 'rolled-back', since: 10 });
    engine.report('c', { ...report, seq: 2, attempt: 2, about: 'old', state: 'downloading' }, 11);
    expect(engine.device('c')?.phase).toBe('downloading');
    expect(engine.state.phase).toBe('rolling-back');
    engine.report('c', { ...report, seq: 3, attempt: 2, about: 'old' }, 12);
    expect(engine.state.phase).toBe('stopped');
  });

  test('by a gate keeps its verdict', () => {
    const engine = started({ gates: [{ ...failed, maxBad: 0, minimum: 2, action: 'abort' }] });
    for (const id of ['a', 'b']) engine.report(id, { ...report, state: 'failed' }, 5);
    expect(engine.state).toMatchObject({ phase: 'stopped', by: 'gate' });
    expect(engine.judgements()[0]).toMatchObject({ bad: 2, measured: 2 });
  });
});

test('an engine made of records continues: who is in flight, who goes back, who waits', () => {
  const base = waitingDevice('a', 0, 0);
  const engine = new RolloutEngine(
    {
      waves: 2,
      gates: [],
      deadlines: { notified: 1000, downloading: 1000, verified: 1000, pending: 1000 },
      concurrency: 1,
      paceMs: 0,
    },
    [
      { ...base, phase: 'pending', attempt: 1, desired: 'new' },
      { ...base, id: 'b', place: 7, phase: 'returning', attempt: 1 },
      { ...base, id: 'c', place: 3, phase: 'withdrawn', attempt: 1 },
    ],
    { phase: 'rolling-back', wave: 0, reason: '', by: 'user', overruled: -1, verdict: null },
  );
  expect([engine.inFlightCount, [...engine.inFlight()]]).toEqual([1, ['a']]);
  expect(engine.counts()).toEqual([{ pending: 1, returning: 1, withdrawn: 1 }, {}]);
  engine.report('a', { ...report, seq: 1, state: 'failed' }, 5);
  expect(engine.device('b')).toMatchObject({ phase: 'notified', desired: 'old' });
  expect([...engine.all()].map(({ id }) => id)).toEqual(['a', 'b', 'c']);
});
