// A simulated device of a fleet: hears what it is to run, fetches it, proves it, runs it, and reports each step. It follows
// docs/fleets.md. Time and messages come from a port, so that a fleet may live at a broker or in a test's own time.

import { equalBytes, hex } from '../../bundle/index.js';
import { seededRandom } from '../../dataset/index.js';
import { fail } from '../../errors.js';
import { distributionOf } from '../../evaluate/index.js';
import { fleetTopics, presence } from '../../mqtt/index.js';
import { challengeSamples, type Desired, decodeDesired, encodeReported, type Reported, type ReportedState, segmentBlocks } from '../../protocol/index.js';
import type { Target } from '../../targets/index.js';
import { slotBytesOf } from '../device-state.js';
import { jittered } from '../loaded-model.js';
import { Download } from './download.js';
import type { ImageStore } from './image-store.js';

export interface FleetPort {
  readonly subscribe: (filter: string) => void;
  readonly unsubscribe: (filter: string) => void;
  readonly publish: (topic: string, payload: Uint8Array | string, retain: boolean) => void;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** @returns what calls it off */
  readonly later: (ms: number, callback: () => void) => () => void;
}

export const fleetFaultNames = ['stuck-download', 'dies-downloading', 'dies-pending', 'bad-signature', 'wrong-result', 'still-old', 'slow'] as const;
/**
 * - stuck-download: it never gets beyond the first half
 * - dies-downloading, dies-pending: it falls silent there, and does not come back
 * - bad-signature: it finds fault with every signature
 * - wrong-result: its self-test fails
 * - still-old: it reports success, and runs the model that it had
 * - slow: its inferences take three times as long
 */
export type FleetFault = (typeof fleetFaultNames)[number];

/** `NAME` for all devices, `NAME=SHARE` for some, such as slow=10%. @throws USAGE */
export function fleetFaultsNamed(texts: readonly string[]): { readonly name: FleetFault; readonly share: number }[] {
  return texts.map((text) => {
    const [wanted, shareText = '100%'] = text.split('=');
    const name = fleetFaultNames.find((known) => known === wanted);
    if (name === undefined) throw fail('USAGE', { reason: `no fault of fleets is named ${wanted}; there are ${fleetFaultNames.join(', ')}` });
    const share = shareText.endsWith('%') ? Number(shareText.slice(0, -1)) / 100 : Number(shareText);
    if (shareText.trim() === '' || !(share >= 0 && share <= 1))
      throw fail('USAGE', { reason: `--fault ${text}: the share is one between 0 and 1, or 0% and 100%` });
    return { name, share };
  });
}

export interface FleetDeviceOptions {
  readonly seed: number;
  readonly tags?: Readonly<Record<string, string>>;
  readonly faults?: readonly FleetFault[];
}

/** What a device runs, or has run. */
interface Installed {
  readonly sha: string;
  readonly image: Uint8Array;
}

/** Inferences behind a reported latency. */
const measuredRuns = 30;
/** Erasing, testing and starting a model: so long each, at most. */
const longestStepMs = 200;
/** A segment that does not come whole within this is subscribed to again: the broker sends what it retains once more. */
const segmentPatienceMs = 15_000;

export class FleetDevice {
  /** The model that runs; kept over a restart, as flash keeps it. */
  active: Installed | null = null;
  private readonly topics: ReturnType<typeof fleetTopics>;
  private readonly random: () => number;
  private readonly faults: ReadonlySet<FleetFault>;
  /** What it works at, or has worked at last. */
  private taken: Desired | null = null;
  private download: Download | null = null;
  private subscribed: string | null = null;
  private sequence = 0;
  private last: Reported | null = null;
  private dead = false;
  private callOff: () => void = () => undefined;

  constructor(
    readonly id: string,
    fleet: string,
    private readonly target: Target,
    private readonly port: FleetPort,
    private readonly store: ImageStore,
    private readonly options: FleetDeviceOptions,
  ) {
    this.topics = fleetTopics(fleet);
    this.random = seededRandom(options.seed);
    this.faults = new Set(options.faults ?? []);
  }

  /** At first, and whenever the connection is back. */
  connected(): void {
    if (this.dead) return;
    this.port.publish(this.topics.alive(this.id), presence.online, true);
    this.port.subscribe(this.topics.desired(this.id));
    // What was said last may not have arrived.
    if (this.last === null) this.report(null, 'idle');
    else this.send(this.last);
    if (this.subscribed !== null) this.port.subscribe(this.subscribed);
  }

  /** It says and hears nothing any more. */
  stop(): void {
    this.callOff();
    this.download = null;
    this.dead = true;
  }

  received(topic: string, payload: Uint8Array): void {
    if (this.dead) return;
    if (topic === this.topics.desired(this.id)) this.desire(payload);
    else this.takeBlock(topic, payload);
  }

  private desire(payload: Uint8Array): void {
    // An empty message: nothing is desired any more, and what comes next is new, even if it is the same.
    if (payload.byteLength === 0) {
      this.taken = null;
      return this.abandon();
    }
    let desired: Desired;
    try {
      desired = decodeDesired(payload);
    } catch {
      // It names no rollout to answer to.
      return;
    }
    // The same once more: brokers repeat themselves.
    if (this.taken?.rollout === desired.rollout && equalBytes(this.taken.sha, desired.sha)) return;
    this.abandon();
    this.taken = desired;
    if (desired.deadline !== undefined && this.port.now() > 1000 * desired.deadline) return this.fail(desired, 'DEADLINE', 'the deadline has passed');
    if (desired.len > slotBytesOf(this.target)) return this.fail(desired, 'IMAGE_TOO_LARGE', `${desired.len} bytes do not fit a slot`);
    // What runs already needs no download, and is proved all the same.
    if (this.active?.sha === hex(desired.sha)) return this.prove(desired, this.active);
    this.download = new Download(desired, this.store);
    this.report(desired, 'downloading');
    this.step(() => this.subscribeNext());
  }

  private abandon(): void {
    this.callOff();
    this.download = null;
    if (this.subscribed !== null) this.port.unsubscribe(this.subscribed);
    this.subscribed = null;
  }

  private subscribeNext(): void {
    const { download } = this;
    if (download === null) return;
    const filter = this.topics.segment(download.sha, download.segment);
    if (this.subscribed !== null) this.port.unsubscribe(this.subscribed);
    this.subscribed = filter;
    this.port.subscribe(filter);
    this.callOff();
    this.callOff = this.port.later(segmentPatienceMs, () => this.subscribeNext());
  }

  private takeBlock(topic: string, payload: Uint8Array): void {
    const { download } = this;
    if (download === null) return;
    const n = Number(topic.slice(topic.lastIndexOf('/') + 1));
    const before = download.segment;
    if (topic !== this.topics.block(download.sha, Math.floor(n / segmentBlocks), n) || !download.take(n, payload)) return;
    if (this.faults.has('dies-downloading') && download.received > download.blocks / 2) return this.stop();
    if (this.faults.has('stuck-download') && download.received > download.blocks / 2) return this.abandon();
    if (download.complete) this.verify(download);
    else if (download.segment !== before) this.subscribeNext();
  }

  private verify(download: Download): void {
    const { desired } = download;
    this.abandon();
    const image = download.image();
    if (image === null) return this.fail(desired, 'HASH_MISMATCH', 'the blocks are not the image that was promised');
    this.report(desired, 'verified');
    this.step(() => this.test(desired, { sha: hex(desired.sha), image }));
  }

  private test(desired: Desired, installed: Installed): void {
    const verdict = this.store.verdict(installed.sha, installed.image);
    if (this.faults.has('bad-signature')) return this.fail(desired, 'SIGNATURE_INVALID', 'no key of this device has made the signature');
    if (this.faults.has('wrong-result')) return this.fail(desired, 'SELF_TEST_FAILED', `${verdict.vectors} of ${verdict.vectors} vectors`);
    if (verdict.refusal !== null) return this.fail(desired, verdict.refusal.code, verdict.refusal.detail);
    const running = this.active === null ? 0 : this.store.verdict(this.active.sha, this.active.image).counter;
    if (verdict.counter < running) return this.fail(desired, 'COUNTER_TOO_LOW', `the image has counter ${verdict.counter}, the active one ${running}`);
    if (!this.faults.has('still-old')) this.active = installed;
    this.report(desired, 'pending');
    if (this.faults.has('dies-pending')) return this.stop();
    this.step(() => this.prove(desired, this.active ?? installed));
  }

  /** Its own test of what runs now, the challenge answered, its latency measured: then it is confirmed. */
  private prove(desired: Desired, { sha, image }: Installed): void {
    const { vectors, failed, arenaBytes, latencyMs } = this.store.verdict(sha, image);
    const slowness = this.faults.has('slow') ? 3 : 1;
    const { median, p95 } = distributionOf(Array.from({ length: measuredRuns }, () => jittered(1000 * latencyMs * slowness, this.random)));
    this.report(desired, 'confirmed', {
      vectors,
      failed,
      arena: arenaBytes,
      runs: measuredRuns,
      median_us: Math.max(1, Math.round(median)),
      p95_us: Math.max(1, Math.round(p95)),
      crc: this.store.challenge(sha, image, desired.seed, challengeSamples),
    });
  }

  private fail(desired: Desired, code: string, detail: string): void {
    this.report(desired, 'failed', { code, detail });
  }

  private report(desired: Desired | null, state: ReportedState, more: Partial<Reported> = {}): void {
    const model = this.active === null ? {} : { model: this.store.verdict(this.active.sha, this.active.image).model };
    // A lie is told of what runs as well.
    const told = this.faults.has('still-old') && state === 'confirmed' ? {} : model;
    this.sequence += 1;
    const about = desired === null ? {} : { rollout: desired.rollout, sha: desired.sha };
    const { tags } = this.options;
    this.last = { seq: this.sequence, target: this.target.id, ...(tags === undefined ? {} : { tags }), state, ...about, ...told, ...more };
    this.send(this.last);
  }

  private send(reported: Reported): void {
    this.port.publish(this.topics.reported(this.id), encodeReported(reported), true);
  }

  private step(next: () => void): void {
    this.callOff();
    this.callOff = this.port.later(1 + this.random() * longestStepMs, next);
  }
}
