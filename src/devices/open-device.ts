// Opens a device URI as a DeviceClient.

import { fail } from '../base/errors.js';
import { loadShippedTargets, loadTarget, type Target } from '../targets/index.js';
import {
  type AttachOptions,
  acceleratorOptions,
  connectAccelerator,
  connectEmulated,
  type EmulatedModel,
  isAcceleratorUri,
} from './accelerator/index.js';
import { attachedPorts, DeviceClient, type LimitMemory, onlyPort, usbOfTarget } from './client/index.js';
import { SimulatedDevice, type SimulatedDeviceOptions } from './simulated/index.js';
import { openTransport, type Transport } from './transport/index.js';

/** What is remembered of devices, and callbacks while one is opened. */
export interface OpenOptions {
  /** For `sim:` devices only. */
  readonly simulated?: SimulatedDeviceOptions;
  /**
   * For an emulated accelerator (`sim:coral-usb` with compiled models): the models that it can run.
   * @internal
   */
  readonly emulated?: readonly EmulatedModel[];
  /**
   * For accelerators only.
   * @internal
   */
  readonly accelerator?: AttachOptions;
  /** Called with each log line of the device. */
  readonly onLog?: (line: string) => void;
  /**
   * Where learned limits of the device's line are kept.
   * @internal
   */
  readonly memory?: LimitMemory;
  /** Timeout and number of attempts of requests without options of their own. */
  readonly retries?: { readonly timeoutMs: number; readonly attempts: number };
}

export interface TargetChoice {
  readonly uri: string;
  /** A target, also as a file, for devices of a kind that is not shipped. */
  readonly named?: string | undefined;
  readonly signal?: AbortSignal;
}

/**
 * The target of a device: the named one, for `sim:` devices that of the URI (either may be a file), otherwise the one
 * that the device reports.
 * @throws DEVICE_TARGET
 */
export async function targetOfDevice(device: DeviceClient, { uri, named, signal }: TargetChoice): Promise<Target> {
  const wanted = named ?? (uri.startsWith('sim:') ? uri.slice('sim:'.length) : undefined);
  const { target: reported } = await device.describe(signal);
  const target = await loadTarget(wanted ?? reported);
  if (target.id !== reported) throw fail('DEVICE_TARGET', { device: uri, reported, target: target.id });
  return target;
}

/**
 * Opens a device by its URI, for example sim:pico, serial:/dev/ttyACM0 or usb:2e8a:000a.
 * @param uri `sim:TARGET`: a simulated device that lives as long as this connection;
 * `serial:PATH?baud=115200&dtr=on&rts=off`; `serial:TARGET` or `serial:` for the only port with matching USB ids;
 * `usb:VID:PID/SERIAL`, `usb:TARGET`; `tcp:HOST:PORT?framing=console`; `udp:HOST:PORT`; `mqtt://BROKER/FLEET/DEVICE`
 * @throws DEVICE_UNKNOWN, DEVICE_UNREACHABLE, SERIAL_*, USB_*, BROKER_*, TARGET_UNKNOWN, TARGET_INVALID
 */
export async function openDevice(uri: string, options: OpenOptions = {}): Promise<DeviceClient> {
  const open = (): Promise<Transport> => transportTo(uri, options);
  // The connection vanishes with a device that resets; a simulated one would be another device when reopened. Its
  // server resets an accelerator.
  const transport = await open();
  const vanishes = /^(usb|serial):/.test(uri) && !isAcceleratorUri(transport.name);
  const device = new DeviceClient(transport, options.retries, vanishes ? open : null);
  if (options.memory !== undefined) device.client.memory = options.memory;
  if (options.onLog !== undefined) device.client.onLog = options.onLog;
  return device;
}

async function transportTo(uri: string, options: OpenOptions): Promise<Transport> {
  const [scheme = '', rest = ''] = uri.split(/:(.*)/s);
  if (scheme === 'sim') {
    if (rest === '') throw fail('DEVICE_UNKNOWN', { device: uri, reason: 'no target is given' });
    const target = await loadTarget(rest);
    if (options.emulated !== undefined && target.runtime.kernels === 'edgetpu')
      return connectEmulated(uri, target, options.emulated, options.accelerator);
    return new SimulatedDevice(target, options.simulated).connect(uri);
  }
  if (scheme === 'serial') return openTransport(await serialPath(rest));
  const named = scheme === 'usb' ? await usbUri(uri, rest) : uri;
  if (!isAcceleratorUri(named)) return openTransport(named);
  return connectAccelerator(named, await loadTarget('coral-usb'), {
    ...acceleratorOptions(named),
    ...(options.accelerator ?? {}),
  });
}

/** Replaces the target's name in an accelerator's URI by its USB ids. @throws USB_CHOICE, TARGET_UNKNOWN */
export function acceleratorUri(uri: string): Promise<string> {
  const [scheme, rest = ''] = uri.split(/:(.*)/s);
  return scheme === 'usb' ? usbUri(uri, rest) : Promise.resolve(uri);
}

/** USB ids contain a colon, target names do not; options after the question mark are kept. */
async function usbUri(uri: string, rest: string): Promise<string> {
  const [place = '', query] = rest.split(/\?(.*)/s);
  if (place === '' || place.includes(':')) return uri;
  const found = await usbOfTarget(await loadTarget(place));
  return query === undefined ? found : `${found}?${query}`;
}

/** A serial port is named by its path, or found by the USB ids of one target or of all. */
async function serialPath(rest: string): Promise<string> {
  const [place = '', query] = rest.split(/\?(.*)/s);
  const options = query === undefined ? '' : `?${query}`;
  if (/[/\\]|^COM\d+$/i.test(place)) return `serial:${rest}`;
  const target = place === '' ? null : await loadTarget(place);
  const ports = await attachedPorts(target === null ? await loadShippedTargets() : [target]);
  const { path } = onlyPort(
    ports,
    target === null ? 'any target' : `the USB ids of ${target.id}`,
    (port) => port.targets.length > 0,
  );
  return `serial:${path}${options}`;
}
