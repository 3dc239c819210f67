// Runs a rollout. Each round collects device reports, user commands and elapsed time, lets the engine decide, commits
// the decisions to the store, and only then publishes them. An agent that is killed in between leaves a store from
// which the next agent publishes the rest.

import { defined } from '../base/checked.js';
import { type AtollError, fail } from '../base/errors.js';
import { equalBytes } from '../base/hashes.js';
import { type BrokerTrouble, fleetTopics, shardOf } from '../devices/mqtt/index.js';
import { measuredBefore, measuredOf } from './begin.js';
import { type Clock, type FleetBroker, machineClock, sleep } from './broker.js';
import { BundleSource, serveBlocks } from './bundle-source.js';
import { collectBundles } from './collect.js';
import { type Judgement, nothingMeasured } from './gates.js';
import { acquireLease, defaultLeaseMs, newHolder } from './lease.js';
import { type HeardReport, Listening } from './listening.js';
import { isOpen } from './maintenance-window.js';
import { Newcomers } from './newcomers.js';
import { type Desire, Outbox } from './outbox.js';
import { withdrawBundle } from './publish-bundle.js';
import { type DeviceRecord, hasEnded, type RolloutEvent, type RolloutState } from './records.js';
import { allShards, everConnected } from './registry.js';
import { type Changes, type PhaseCounts, RolloutEngine } from './rollout-engine.js';
import { selectsLater } from './selection.js';
import { SequenceResets } from './sequence-resets.js';
import type { PublishedRow, RolloutCommand, RolloutRow, RolloutStore } from './store/index.js';

/** How a process that leads a rollout is followed and stopped. */
export interface AgentOptions {
  readonly clock?: Clock;
  /** Time without a heartbeat after which an agent is considered gone. */
  readonly leaseMs?: number;
  /** Pause between two rounds. */
  readonly roundMs?: number;
  /**
   * When to return although the rollout has not ended: if a gate paused it, if anyone paused it (and no device is in
   * flight), or never.
   */
  readonly rest?: 'gate' | 'paused' | 'never';
  /** Called with the holder of the lease if another agent leads. */
  readonly onWait?: (holder: string) => void;
  /** How long to wait for a store that cannot be reached, in milliseconds. */
  readonly storeTimeoutMs?: number;
  /** Called when the connection to the store is lost, with the reason, and with null when it is back. */
  readonly onStore?: (reason: string | null) => void;
  /** Called after every commit that changed something. */
  readonly onChange?: (view: RolloutView) => void;
  readonly onEvent?: (event: RolloutEvent) => void;
  readonly signal?: AbortSignal;
}

/** A rollout as its leading agent sees it. */
export interface RolloutView {
  readonly state: RolloutState;
  /** Devices per wave. */
  readonly counts: readonly PhaseCounts[];
  readonly judgements: readonly Judgement[];
}

const defaultRoundMs = 100;
/** A round without changes is committed only to keep the lease. */
const beatMs = 2000;
/** Limit on the time that one round may count: the machine may have slept or been held up. */
const maxRoundMs = 5000;
/**
 * After this time without a report from a device in flight, its retained report is read again; then after twice as long
 * each time.
 */
const silenceMs = 15_000;
/** A device that does not answer is notified again after this time, and then after twice as long each time. */
const renotifyMs = 30_000;
const maxFailures = 3;

const defaultStoreTimeoutMs = 600_000;
/** Pause between two attempts to reach a store. */
const storeRetryMs = 1000;

/**
 * Leads a rollout until it has ended, or until a gate has paused it and no device is in flight. While the store cannot
 * be reached, nothing is published; afterwards the agent continues from the last commit.
 * @param fleet name of the fleet at the broker
 * @throws BROKER_*, STORE, STORE_AWAY, INTERRUPTED; committed work is in the store in any case
 */
export async function leadRollout(
  store: RolloutStore,
  broker: FleetBroker,
  fleet: string,
  no: number,
  options: AgentOptions = {},
): Promise<RolloutRow> {
  const {
    clock = machineClock,
    leaseMs = defaultLeaseMs,
    storeTimeoutMs = defaultStoreTimeoutMs,
    onWait,
    onStore,
    signal,
  } = options;
  const holder = newHolder();
  let awaySince: number | null = null;
  const onStoreBack = (): void => {
    if (awaySince !== null) onStore?.(null);
    awaySince = null;
  };
  for (;;) {
    let agent: RolloutAgent | null = null;
    try {
      const waiting = { ...(onWait === undefined ? {} : { onWait }), ...(signal === undefined ? {} : { signal }) };
      await acquireLease(store, no, holder, { clock, leaseMs, onOther: onStoreBack, ...waiting });
      agent = await RolloutAgent.over(store, broker, fleet, no, holder, options);
      agent.onCommit = onStoreBack;
      await agent.run();
      const row = await store.rollout(no);
      if (hasEnded(row.state.phase)) await collectBundles(store, broker, fleet, row.fleet);
      return row;
    } catch (error) {
      const { code, message } = error as AtollError;
      // This agent was held up for longer than its lease, and another took over. Wait for the lease again.
      if (code === 'ROLLOUT_LEASE') continue;
      if (code !== 'STORE_AWAY') throw error;
      if (awaySince === null) onStore?.(message);
      awaySince ??= clock.elapsed();
      if (clock.elapsed() - awaySince >= storeTimeoutMs) throw error;
    } finally {
      agent?.stop();
      broker.onChange = null;
      broker.onEnd = null;
      await store.giveLease(no, holder).catch(() => undefined);
    }
    await sleep(clock, storeRetryMs);
  }
}

class RolloutAgent {
  onCommit: () => void = () => undefined;
  private readonly clock: Clock;
  private readonly outbox: Outbox;
  private readonly listening: Listening;
  private readonly newcomers: Newcomers;
  private readonly resets = new SequenceResets();
  /** Events to commit, and callers waiting for the commit. */
  private published: { readonly row: PublishedRow; readonly written: () => void }[] = [];
  private timeMs: number;
  private lastRound: number;
  private lastCommit = Number.NEGATIVE_INFINITY;
  private lastSweep = 0;
  private connected = true;
  /** Incremented whenever the connection is restored: results from before may no longer hold. */
  private epoch = 0;
  /** Bundles whose blocks are at the broker or being published. */
  private readonly prepared = new Set<BundleSource>();
  private readonly preparing = new Set<BundleSource>();
  /** Number of reads and publications in progress, and of failures in a row. */
  private background = 0;
  private failures = 0;
  private failure: unknown = null;
  /** The state at the last commit. */
  private trouble: BrokerTrouble | null = null;

  private constructor(
    private readonly store: RolloutStore,
    private readonly broker: FleetBroker,
    private readonly fleet: string,
    private readonly row: RolloutRow,
    private readonly holder: string,
    private readonly engine: RolloutEngine,
    private readonly bundle: BundleSource,
    private readonly previous: BundleSource | null,
    private readonly options: AgentOptions,
  ) {
    this.clock = options.clock ?? machineClock;
    this.timeMs = row.clockMs;
    this.lastRound = this.clock.elapsed();
    this.outbox = new Outbox((desire) => this.publishDesire(desire));
    this.listening = new Listening(broker, fleet, this.clock);
    // Plans stored by an earlier version have no `expect`.
    const expected = row.plan.expect ?? Number.POSITIVE_INFINITY;
    this.newcomers = new Newcomers(() => engine.size >= expected);
  }

  static async over(
    store: RolloutStore,
    broker: FleetBroker,
    fleet: string,
    no: number,
    holder: string,
    options: AgentOptions,
  ): Promise<RolloutAgent> {
    const row = await store.rollout(no);
    const { plan, state } = row;
    const [image, before] = [
      await store.image(row.bundle),
      row.previous === null ? null : await store.image(row.previous),
    ];
    if (image === null) throw fail('STORE', { store: store.uri, reason: `it no longer has bundle ${row.bundle}` });
    const bundle = new BundleSource(broker, fleet, image, plan, before);
    const previous = before === null ? null : new BundleSource(broker, fleet, before, plan, image);
    const devices: DeviceRecord[] = [];
    for await (const device of store.devices(no)) devices.push(device);
    const setup = {
      waves: 1 + devices.reduce((most, { wave }) => Math.max(most, wave), 0),
      gates: plan.gates,
      deadlines: plan.deadlines,
      concurrency: plan.concurrency,
      paceMs: plan.bytesPerSecond === null ? 0 : (1000 * bundle.compressedBytes) / plan.bytesPerSecond,
    };
    const agent = new RolloutAgent(
      store,
      broker,
      fleet,
      row,
      holder,
      new RolloutEngine(setup, devices, state),
      bundle,
      previous,
      options,
    );
    for (const device of devices) if (!device.published) agent.outbox.put(device);
    return agent;
  }

  /** Stops publishing: another agent may lead from now on. */
  stop(): void {
    this.outbox.stop();
  }

  async run(): Promise<void> {
    const { broker, fleet, engine, options } = this;
    broker.onChange = (connected) => {
      this.connected = connected;
      if (connected) this.resync();
    };
    broker.onEnd = (error) => {
      this.failure ??= error;
    };
    await this.listening.begin();
    const sources = [this.bundle, this.previous].flatMap((source) => source ?? []);
    await serveBlocks(broker, fleet, (sha) => sources.find((source) => source.row(true).sha === sha) ?? null);
    this.resync();
    engine.openWindow(false);
    if (engine.state.phase === 'planned') engine.resume(this.timeMs);
    for (;;) {
      options.signal?.throwIfAborted();
      if (await this.round()) return;
      await sleep(this.clock, options.roundMs ?? defaultRoundMs);
    }
  }

  /** @returns whether nothing is left to do */
  private async round(): Promise<boolean> {
    const { engine, outbox, clock, row, options } = this;
    if (this.failure !== null) throw this.failure;
    const before = this.timeMs;
    this.passTime();
    engine.openWindow(this.mayTell());
    const handled: number[] = [];
    for (const { n, request } of await this.store.requests(row.no)) {
      this.handleCommand(request);
      handled.push(n);
    }
    for (const id of this.listening.drainRemoved()) engine.remove(id, this.timeMs);
    for (const [id, heard] of this.listening.drain()) this.take(id, heard);
    const { admitted, events } = this.newcomers.drain();
    for (const member of admitted) engine.join(member.id, measuredBefore(member), this.timeMs);
    for (const { id, attempt, desired } of outbox.drain()) engine.markPublished(id, attempt, desired);
    engine.tick(this.timeMs);
    this.renotify(before);
    const changes = this.withBroker(engine.drain(), events);
    const { published } = this;
    this.published = [];
    const anything = changes.devices.length + changes.events.length + published.length + handled.length > 0;
    if (anything || clock.elapsed() - this.lastCommit > beatMs) await this.commit(changes, published, handled);
    for (const device of changes.devices) if (!device.published) outbox.put(device);
    for (const event of changes.events) options.onEvent?.(event);
    if (anything) options.onChange?.({ state: this.state, counts: engine.counts(), judgements: engine.judgements() });
    this.prepare(this.needed());
    this.sweep();
    if (this.connected && this.newcomers.mayDecide)
      void this.inBackground(() =>
        this.newcomers.decide((ids) => everConnected(this.broker, this.fleet, ids, { clock })),
      );
    const ended = hasEnded(engine.state.phase);
    const rests =
      engine.state.phase === 'paused' &&
      (options.rest === 'paused' ||
        (engine.state.by === 'gate' && options.rest !== 'never' && engine.inFlightCount === 0));
    return (
      (ended || rests) &&
      !anything &&
      outbox.open + this.background + this.listening.waiting + this.newcomers.open === 0
    );
  }

  private get state(): RolloutState {
    return { ...this.engine.state, broker: this.trouble };
  }

  /** Adds an event when the connection to the broker is lost, restored, or fails for another reason. */
  private withBroker({ devices, events }: Changes, more: readonly RolloutEvent[]): Changes {
    const { trouble = null } = this.broker;
    if (trouble?.reason === this.trouble?.reason) return { devices, events: [...events, ...more] };
    this.trouble = trouble;
    return {
      devices,
      events: [...events, ...more, { kind: 'broker', connected: trouble === null, reason: trouble?.reason ?? '' }],
    };
  }

  /** The bundle that devices should run. */
  private needed(): BundleSource {
    return this.engine.state.phase === 'rolling-back' ? defined(this.previous) : this.bundle;
  }

  /** No device is notified before all blocks are published, or, for new work, outside the maintenance window. */
  private mayTell(): boolean {
    const { window } = this.row.plan;
    const open = this.engine.state.phase === 'rolling-back' || window === null || isOpen(window, this.clock.wall());
    return open && this.prepared.has(this.needed());
  }

  private async commit(
    changes: Changes,
    published: RolloutAgent['published'],
    handled: readonly number[],
  ): Promise<void> {
    const { engine, clock } = this;
    await this.store.commit(this.row.no, this.holder, {
      ...changes,
      state: this.state,
      judgements: engine.judgements(),
      clockMs: this.timeMs,
      at: clock.wall(),
      handled,
      published: published.map(({ row }) => row),
    });
    this.onCommit();
    for (const { written } of published) written();
    this.lastCommit = clock.elapsed();
  }

  /** The rollout's clock stops while the broker is away: a device that cannot be heard must not run into a deadline. */
  private passTime(): void {
    const now = this.clock.elapsed();
    if (this.connected) this.timeMs += Math.min(maxRoundMs, now - this.lastRound);
    this.lastRound = now;
  }

  private handleCommand(request: RolloutCommand): void {
    const { engine, timeMs } = this;
    switch (request.kind) {
      case 'pause':
        return engine.pause('by the user');
      case 'resume':
        return engine.resume(timeMs);
      case 'overrule':
        return engine.overrule(timeMs);
      case 'abort':
        return engine.abort('by the user', request.rollBack && this.previous !== null, timeMs);
      case 'retry':
        return engine.retry(request.ids ?? Array.from(engine.all(), ({ id }) => id), timeMs);
    }
  }

  private take(id: string, { reported, retained }: HeardReport): void {
    const { engine, row, bundle, previous } = this;
    const record = engine.device(id);
    if (record === null || record.phase === 'removed') {
      const member = { id, online: true, reported };
      if (selectsLater(member, row.plan, row.target, row.cutoff)) this.newcomers.offer(member);
      return;
    }
    const { state, sha, code = null, seq, attempt } = reported;
    if (state === 'idle' || reported.rollout !== row.name || sha === undefined) return;
    const about = equalBytes(sha, bundle.sha)
      ? 'new'
      : previous !== null && equalBytes(sha, previous.sha)
        ? 'old'
        : null;
    if (about === null || attempt !== record.attempt) return;
    const { prover } = about === 'new' ? bundle : defined(previous);
    const { proved, maxLsb } =
      state === 'confirmed' ? prover.check(reported, id, attempt) : { proved: false, maxLsb: null };
    const measured = state === 'confirmed' ? measuredOf(reported, maxLsb) : nothingMeasured;
    const restarted = retained && this.resets.isReset(id, seq, record.seq);
    engine.report(id, { seq, restarted, attempt, about, state, code, proved, measured }, this.timeMs);
  }

  private async publishDesire(desire: Desire): Promise<void> {
    const { bundle, previous, broker, fleet } = this;
    const source = desire.desired === 'old' ? defined(previous) : bundle;
    await broker.publish(
      fleetTopics(fleet).desired(desire.id),
      desire.desired === 'nothing' ? new Uint8Array(0) : source.desire(desire),
      { retain: true },
    );
  }

  /** At the start and after each reconnection: publish again what the broker has lost, and read what was missed. */
  private resync(): void {
    this.epoch += 1;
    this.prepared.clear();
    void this.inBackground(() => this.listening.read(allShards));
  }

  /** Blocks are published before any device is notified of them. */
  private prepare(source: BundleSource): void {
    if (!this.connected || this.prepared.has(source) || this.preparing.has(source)) return;
    this.preparing.add(source);
    void this.inBackground(async () => {
      const { epoch } = this;
      const known = (await this.store.published(this.row.fleet)).find(({ sha }) => sha === source.row(true).sha);
      const inBlocks = known?.blockBytes === source.row(true).blockBytes;
      if (known?.complete !== true || !inBlocks || !(await source.isThere(this.clock))) {
        if (known?.complete === true && inBlocks) this.republishAll();
        // Blocks of another size already lie under these topics.
        if (known !== undefined && !inBlocks)
          await withdrawBundle(this.broker, this.fleet, { sha: source.sha, blocks: known.blocks });
        // Recorded before publishing, so that the blocks can be removed whatever happens next.
        await this.write(source.row(false));
        await source.publish();
        // The broker may have lost the first blocks while it was away: publish all of them again.
        if (epoch !== this.epoch) return;
        await this.write(source.row(true));
      }
      if (epoch === this.epoch) this.prepared.add(source);
    }).finally(() => this.preparing.delete(source));
  }

  /** Recorded with the next commit. */
  private write(row: PublishedRow): Promise<void> {
    return new Promise((resolve) => {
      this.published.push({ row, written: resolve });
    });
  }

  /** The broker has lost its retained messages. */
  private republishAll(): void {
    for (const { id, desired } of this.engine.all()) if (desired !== 'nothing') this.engine.republish(id);
  }

  /** Messages can be lost: read again what the broker retains of devices that have not reported. */
  private sweep(): void {
    if (!this.connected || this.timeMs - this.lastSweep < silenceMs) return;
    const shards = new Set<string>();
    for (const id of this.engine.inFlight()) {
      const { since } = defined(this.engine.device(id));
      if (doublings(this.timeMs - since, silenceMs) > doublings(this.lastSweep - since, silenceMs))
        shards.add(shardOf(id));
    }
    this.lastSweep = this.timeMs;
    if (shards.size > 0) void this.inBackground(() => this.listening.read([...shards]));
  }

  /** A device that has not answered may not have received the message. */
  private renotify(before: number): void {
    for (const id of this.engine.inFlight()) {
      const { phase, since, published } = defined(this.engine.device(id));
      if (
        phase === 'notified' &&
        published &&
        doublings(this.timeMs - since, renotifyMs) > doublings(before - since, renotifyMs)
      )
        this.engine.republish(id);
    }
  }

  /** Work that failed after a disconnection is repeated; work that fails repeatedly ends the agent. */
  private async inBackground(work: () => Promise<void>): Promise<void> {
    this.background += 1;
    try {
      await work();
      this.failures = 0;
    } catch (error) {
      if (this.connected) this.failures += 1;
      if (this.failures >= maxFailures) this.failure ??= error;
    } finally {
      this.background -= 1;
    }
  }
}

/**
 * How many repetitions are due within a time, if the first comes after `firstMs` and each next one after twice as long.
 */
function doublings(ms: number, firstMs: number): number {
  return Math.floor(Math.log2(Math.max(0, ms) / firstMs + 1));
}
