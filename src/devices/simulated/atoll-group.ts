import { crc32 } from 'node:zlib';
import { equalBytes, sha256 } from '../../base/hashes.js';
import { budgetOf } from '../../targets/index.js';
import { agreementOf, decodeSlotImage } from '../bundle/index.js';
import { atollCommands } from '../protocol/index.js';
import { tickHz } from './device-engine.js';
import { type DeviceState, slotBytesOf } from './device-state.js';
import { type Handler, handler, readHandler } from './handlers.js';
import { counterOf, modelHash } from './slots.js';
import { atollStatusError } from './status-error.js';

const maxRuns = 1000;
const profileEntries = 32;

export function atollHandlers(device: DeviceState): Handler[] {
  return [...stateHandlers(device), ...inferenceHandlers(device), ...proofHandlers(device)];
}

function stateHandlers(device: DeviceState): Handler[] {
  const { slots, target, engine } = device;
  return [
    readHandler(atollCommands.describe, () => ({
      proto: 1,
      id: device.id,
      target: target.id,
      fw: engine.firmware,
      runtime: target.runtime.name,
      runtime_version: engine.runtimeVersion,
      profile: target.runtime.kernelProfile,
      tick_hz: tickHz,
      slot_bytes: slotBytesOf(device.target),
      arena_bytes: budgetOf(target).arenaBytes,
      slots: slots.all.length,
      align: target.alignment,
      features: ['infer', 'stats', ...engine.features].sort(),
      key: device.hasKey,
      ...(engine.simulated ? { sim: true } : {}),
      ...(device.inflateBytes === null ? {} : { inflate: device.inflateBytes }),
    })),
    readHandler(atollCommands.slots, () => ({
      slots: slots.all.map((slot, index) => {
        const { active, pending, confirmed, tested, attempts } = slot;
        const model = modelHash(slot);
        const hashes =
          slot.bytes.byteLength === 0 ? {} : { sha: sha256(slot.bytes), ...(model === null ? {} : { model }) };
        return { slot: index, len: slot.bytes.byteLength, ...hashes, active, pending, confirmed, tested, attempts };
      }),
    })),
    handler(atollCommands.activate, async ({ slot: index, sha }) => {
      const slot = slots.at(index);
      if (slot.bytes.byteLength === 0) throw atollStatusError('NO_MODEL', `slot ${index} is empty`);
      if (!equalBytes(sha256(slot.bytes), sha))
        throw atollStatusError('HASH_MISMATCH', `slot ${index} contains another image`);
      const loaded = await device.load(slot);
      slots.activate(slot, loaded.image.trailer?.vectors.length ?? 0);
      device.useModel(loaded);
      return { arena: loaded.execution.arenaBytes };
    }),
    handler(atollCommands.confirm, ({ sha }) => {
      const { active } = slots;
      slots.confirm(sha, device.hasKey && active !== null ? counterOf(decodeSlotImage(active.bytes)) : 0);
      return {};
    }),
    handler(atollCommands.erase, ({ slot }) => {
      slots.erase(slots.at(slot));
      return {};
    }),
  ];
}

/** Refuse what an engine cannot do instead of ignoring it. */
function requireStream({ engine }: DeviceState, stream: boolean): void {
  if (stream && !engine.features.includes('stream'))
    throw atollStatusError('UNKNOWN', 'this device resets the state of a model before every sample');
}

function inferenceHandlers(device: DeviceState): Handler[] {
  return [
    handler(atollCommands.writeInput, async ({ input, off, data }) => {
      const tensors = await device.tensors();
      const range = tensorRange(tensors.model.execution.inputs, input);
      if (off + data.byteLength > range.bytes)
        throw atollStatusError('OFFSET_NOT_VALID', `input ${input} has ${range.bytes} bytes`);
      tensors.input.set(data, range.start + off);
      return { off: off + data.byteLength };
    }),
    handler(atollCommands.run, async ({ n = 1, stream = false }) => {
      const tensors = await device.tensors();
      requireStream(device, stream);
      const runs = Math.min(n, maxRuns);
      let ticks = 0;
      for (let i = 0; i < runs; i++) ticks += await tensors.run(stream);
      device.count('inferences', runs);
      return { n: runs, ticks };
    }),
    handler(atollCommands.readOutput, async ({ output, off }) => {
      const tensors = await device.tensors();
      const range = tensorRange(tensors.model.execution.outputs, output);
      if (off > range.bytes) throw atollStatusError('OFFSET_NOT_VALID', `output ${output} has ${range.bytes} bytes`);
      const data = tensors.output.slice(
        range.start + off,
        range.start + Math.min(range.bytes, off + device.chunkBytes),
      );
      return { off, data, ...(off === 0 ? { len: range.bytes } : {}) };
    }),
    handler(atollCommands.infer, async ({ data, stream = false }) => {
      const tensors = await device.tensors();
      requireStream(device, stream);
      const { inputBytes, outputBytes } = tensors.model;
      const count = data.byteLength / inputBytes;
      if (!Number.isInteger(count) || count < 1)
        throw atollStatusError('OFFSET_NOT_VALID', `${data.byteLength} bytes; a sample has ${inputBytes}`);
      if (count * outputBytes > device.chunkBytes)
        throw atollStatusError('OFFSET_NOT_VALID', `outputs of ${count} samples do not fit into a response`);
      const outputs = new Uint8Array(count * outputBytes);
      const ticks: number[] = [];
      for (let i = 0; i < count; i++) {
        tensors.input.set(data.subarray(i * inputBytes, (i + 1) * inputBytes));
        ticks.push(await tensors.run(stream));
        outputs.set(tensors.output, i * outputBytes);
      }
      device.count('inferences', count);
      return { ticks, data: outputs };
    }),
    handler(atollCommands.profile, async ({ off = 0 }) => {
      const model = await device.running();
      const all = (model.execution.operators ?? []).map(([code, ticks]): [number, number] => [code, ticks]);
      const next = off + profileEntries;
      return { ops: all.slice(off, next), ...(next < all.length ? { next } : {}) };
    }),
  ];
}

function proofHandlers(device: DeviceState): Handler[] {
  return [
    handler(atollCommands.selfTest, async ({ slot: index }) => {
      const slot = device.slots.at(index);
      if (slot.bytes.byteLength === 0) throw atollStatusError('NO_MODEL', `slot ${index} is empty`);
      const model = await device.load(slot);
      const result = await model.selfTest(agreementOf(model.image.trailer?.manifest));
      slot.tested = result.failed === 0;
      device.count(slot.tested ? 'selftests_passed' : 'selftests_failed', 1);
      return {
        vectors: result.vectors,
        failed: result.failed,
        max_lsb: result.maxLsb,
        ticks: result.ticks,
        arena: model.execution.arenaBytes,
      };
    }),
    handler(atollCommands.challenge, async ({ seed, n, outputs: wanted = false }) => {
      const model = await device.running();
      const room = Math.max(1, Math.floor(device.chunkBytes / model.outputBytes));
      const count = wanted ? Math.min(n, room) : Math.min(n, maxRuns);
      const outputs = await model.challenge(seed, count);
      return { n: count, crc: crc32(outputs), ...(wanted ? { outputs } : {}) };
    }),
  ];
}

/** Position of a tensor within all inputs or all outputs back to back. */
function tensorRange(tensors: readonly { readonly bytes: number }[], index: number): { start: number; bytes: number } {
  const tensor = tensors[index];
  if (tensor === undefined) throw atollStatusError('NO_SUCH_TENSOR', `tensor ${index} of ${tensors.length}`);
  return { start: tensors.slice(0, index).reduce((sum, { bytes }) => sum + bytes, 0), bytes: tensor.bytes };
}
