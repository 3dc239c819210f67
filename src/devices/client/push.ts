// Pushes a slot image: upload, verification, self-test on the device, activation, confirmation. The old model stays
// active until the new one has passed, and comes back by itself if the new one is never confirmed.

import { fail } from '../../base/errors.js';
import { hex, sha256, sha256Hex } from '../../base/hashes.js';
import { type OnProgress, started } from '../../base/progress.js';
import { builtinOperatorName } from '../../formats/tflite/index.js';
import { decodeSlotImage, maxBlockBytes, type SlotImage, smallestBlockBytes } from '../bundle/index.js';
import { atollCommands, type DeviceDescription, type ResponseOf } from '../protocol/index.js';
import type { DeviceClient } from './client.js';
import { inferenceTimeoutMs, signalOf } from './smp-client.js';
import { type UploadOptions, type UploadResult, type UploadStep, uploadImage } from './upload.js';

/** The steps of a push, for progress. */
export type PushStep = UploadStep | 'self-test' | 'activate' | 'confirm';

/** How an image is sent, a progress callback, and a signal to stop. */
export interface PushOptions extends Omit<UploadOptions, 'onProgress' | 'blockBytes' | 'path'> {
  /** Send it compressed if the device supports that (default: true). */
  readonly compress?: boolean;
  readonly onProgress?: OnProgress<PushStep>;
}

/** What was sent, and what the device reports. */
export interface PushResult {
  readonly device: string;
  readonly target: string;
  /** False if the device already ran exactly this image. */
  readonly changed: boolean;
  readonly image: UploadResult;
  /** SHA-256 of the model, in hexadecimal. */
  readonly model: string;
  readonly selfTest: { readonly vectors: number; readonly failed: number; readonly maxLsb: number };
  /** Arena that the device's interpreter uses, as it reports. */
  readonly arenaBytes: number;
  readonly state: 'confirmed';
}

/**
 * Pushes a slot image: upload, verification, self-test on the device, activation, confirmation.
 * @throws PUSH_REFUSED before anything is sent, PUSH_HASH, PUSH_SELF_TEST, DEVICE_*, SLOT_IMAGE_INVALID
 */
export async function push(device: DeviceClient, image: Uint8Array, options: PushOptions = {}): Promise<PushResult> {
  const slotImage = decodeSlotImage(image);
  const sha = sha256(image);
  const described = await device.describe(options.signal);
  requireRoom(slotImage, image.byteLength, described);
  const before = (await device.slots(options.signal)).find((slot) => slot.active);
  const request = signalOf(options.signal);
  const common = {
    device: described.id,
    target: described.target,
    model: sha256Hex(slotImage.model),
    state: 'confirmed' as const,
  };
  const running = before?.sha !== undefined && hex(before.sha) === hex(sha) ? before : null;
  if (running !== null) {
    // An earlier push may have ended between activating and confirming: uploading again would cost the device its
    // fallback.
    const selfTest = await testSlot(device, running.slot, options);
    if (!running.confirmed) await device.client.request(atollCommands.confirm, { sha }, request);
    return {
      ...common,
      changed: !running.confirmed,
      image: unchanged(image),
      selfTest: resultOf(selfTest),
      arenaBytes: selfTest.arena,
    };
  }

  options.onProgress?.(started('upload'));
  const uploaded = await uploadImage(device.client, image, {
    ...options,
    blockBytes: options.compress === false ? null : blockBytesFor(described),
  });
  const slot = (await device.slots(options.signal)).find(
    (entry) => !entry.active && entry.sha !== undefined && hex(entry.sha) === hex(sha),
  );
  if (slot === undefined)
    throw fail('DEVICE_ANSWER', { command: 'slots', reason: 'the uploaded image is not in the inactive slot' });
  const selfTest = await testSlot(device, slot.slot, options);
  options.onProgress?.(started('activate'));
  const { arena } = await device.client.request(atollCommands.activate, { slot: slot.slot, sha }, request);
  options.onProgress?.(started('confirm'));
  await device.client.request(atollCommands.confirm, { sha }, request);
  return { ...common, changed: true, image: uploaded, selfTest: resultOf(selfTest), arenaBytes: arena };
}

/** An image that exceeds the limits which the device reports is not sent. @throws PUSH_REFUSED */
function requireRoom({ trailer }: SlotImage, imageBytes: number, device: DeviceDescription): void {
  const manifest = trailer?.manifest ?? null;
  const lacking =
    manifest?.operators.filter(
      (operator) => typeof operator === 'number' && device.operators?.includes(operator) === false,
    ) ?? [];
  const reasons = [
    imageBytes > device.slot_bytes && `the image has ${imageBytes} bytes, a slot ${device.slot_bytes}`,
    manifest !== null &&
      manifest.target !== device.target &&
      `the image is for ${manifest.target}, the device is a ${device.target}`,
    manifest !== null &&
      manifest.arena > device.arena_bytes &&
      `the model needs an arena of ${manifest.arena} bytes, the device has ${device.arena_bytes}`,
    lacking.length > 0 &&
      `its firmware has no kernels for ${lacking.map((code) => builtinOperatorName(Number(code))).join(', ')}`,
    device.key &&
      (trailer === null || trailer.signature === null) &&
      'the device has a key, but the image has no signature',
  ].filter((reason) => reason !== false);
  if (reasons.length > 0) throw fail('PUSH_REFUSED', { device: device.id, reasons: reasons.join('; ') });
}

function unchanged(image: Uint8Array): UploadResult {
  const { byteLength: bytes } = image;
  const nothing = {
    sentBytes: 0,
    packetBytes: 0,
    compression: null,
    durationMs: 0,
    bytesPerSecond: null,
    bottleneck: null,
  };
  return { bytes, resumedAt: bytes, sha256: sha256Hex(image), verifiedBy: 'sha256', ...nothing };
}

/** The largest blocks that both sides support: they compress best. null for a device without compression. */
function blockBytesFor({ inflate }: DeviceDescription): number | null {
  return inflate === undefined || inflate < smallestBlockBytes ? null : Math.min(inflate, maxBlockBytes);
}

/** @throws PUSH_SELF_TEST */
async function testSlot(
  device: DeviceClient,
  slot: number,
  options: PushOptions,
): Promise<ResponseOf<typeof atollCommands.selfTest>> {
  options.onProgress?.(started('self-test'));
  const request = { ...signalOf(options.signal), timeoutMs: inferenceTimeoutMs };
  const result = await device.client.request(atollCommands.selfTest, { slot }, request);
  if (result.failed > 0)
    throw fail('PUSH_SELF_TEST', {
      reason: `${result.failed} of ${result.vectors} self-test vectors differ, by up to ${result.max_lsb}`,
    });
  return result;
}

function resultOf({
  vectors,
  failed,
  max_lsb,
}: {
  vectors: number;
  failed: number;
  max_lsb: number;
}): PushResult['selfTest'] {
  return { vectors, failed, maxLsb: max_lsb };
}
