// The documents of the verbs that speak with devices.

import type { PushResult, UploadResult } from '../../devices/client/index.js';
import type { FlashPlace, FlashResult, FlashWay } from '../../devices/flashing/index.js';
import type { ListedDevice } from '../../devices/list-devices.js';
import type { FleetMember, Registry } from '../../fleet/index.js';
import type { DoctorReport } from '../doctor.js';

/** Of a device with Atoll's firmware, and of one that only stores files. */
export type PushDocument = { readonly file: string; readonly uri: string } & (
  | PushResult
  | { readonly path: string; readonly state: 'stored'; readonly runnable: false; readonly image: UploadResult }
);

export interface FlashDocument extends Pick<FlashWay, 'method' | 'through' | 'commands'> {
  readonly file: string;
  readonly target: string;
  /** Flash address of the first byte. */
  readonly address: number;
  readonly imageBytes: number;
  readonly partition: FlashPlace['partition'];
  /** False for --dry-run. */
  readonly written: boolean;
  readonly verifiedBy: FlashResult['verifiedBy'];
}

/** A device of a fleet, as it reports itself. */
export interface FleetDeviceDocument extends Pick<FleetMember, 'id' | 'online'> {
  readonly target: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly state: FleetMember['reported']['state'];
  /** The rollout that it takes part in; null if none. */
  readonly rollout: string | null;
  /** SHA-256 of the model; null if it has none. */
  readonly model: string | null;
  /** The error of a failed update; null otherwise. */
  readonly code: string | null;
}

/** Of `devices`, of the devices of a fleet, and of `devices --forget`. */
export type DevicesDocument =
  | { readonly devices: readonly ListedDevice[] }
  | ({ readonly uri: string; readonly devices: readonly FleetDeviceDocument[] } & Omit<Registry, 'members'>)
  | { readonly uri: string; readonly forgotten: readonly string[] };

export interface ServeDocument {
  readonly uri: string;
  readonly id: string;
  readonly target: string;
  /** The process that serves it. */
  readonly pid: number;
}

/** Of one simulated device, and of a fleet. */
export type SimulateDeviceDocument =
  | ServeDocument
  | {
      readonly uri: string;
      readonly target: string;
      readonly count: number;
      readonly first: string;
      readonly last: string;
      /** Of a single device. */
      readonly id?: string;
      readonly pid: number;
    };

export interface BrokerDocument {
  readonly uri: string;
  /** The folder of retained messages; null: in memory only. */
  readonly data: string | null;
  readonly pid: number;
}

export type DoctorDocument = DoctorReport;
