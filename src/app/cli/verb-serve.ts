import { type Command, Option } from '@commander-js/extra-typings';
import { fail, reasonOf } from '../../base/errors.js';
import type { VerifyingKey } from '../../devices/bundle/index.js';
import type { PersistentSlots } from '../../devices/simulated/index.js';
import type { Target } from '../../targets/index.js';
import { collect, tagsOf } from './options.js';
import { besideOf } from './uncompiled.js';
import { type Context, defineVerb, type OptionsOf, untilInterrupted } from './verb.js';

function define(command: Command) {
  return command
    .requiredOption(
      '--device <uri>',
      'the accelerator: usb:18d1:9302[?performance=low|medium|high|max][&firmware=FILE], usb:coral-usb; ' +
        'sim:coral-usb emulates one',
    )
    .requiredOption(
      '--listen <where>',
      'tcp:[HOST:]PORT, udp:[HOST:]PORT, pty; or mqtt://BROKER/FLEET/DEVICE to take part in rollouts',
    )
    .option('--id <id>', 'id of the device')
    .option('--state <folder>', 'folder for its models while it is not running (default: it starts without a model)')
    .addOption(
      new Option(
        '--key <file>',
        'PEM file of a public key: accept only images signed by such a key; repeatable',
      ).argParser(collect),
    )
    .addOption(new Option('--tag <name=value>', 'in a fleet: a tag, for example line=a; repeatable').argParser(collect))
    .option('--data <dataset>', 'in a fleet: labelled samples for reporting its accuracy')
    .addOption(
      new Option(
        '--emulate <file>',
        'with sim:coral-usb: a compiled model to emulate, with the uncompiled one beside it; repeatable',
      ).argParser(collect),
    );
}

type Options = OptionsOf<typeof define>;

export const serveVerb = defineVerb({
  name: 'serve',
  summary: 'serve the accelerator of this machine as a device for pushes or rollouts, until interrupted',
  define,
  run: async (context, _args, options) => {
    const [{ loadTarget }, { readPublicKey }, { readText }, { PersistentSlots }, { isBrokerUri }] = await Promise.all([
      import('../../targets/index.js'),
      import('../../devices/bundle/index.js'),
      import('../../base/files/index.js'),
      import('../../devices/simulated/index.js'),
      import('../../devices/mqtt/index.js'),
    ]);
    requireFitting(options, isBrokerUri(options.listen));
    const target = await loadTarget('coral-usb');
    const keys = await Promise.all(listOf(options.key).map(async (file) => readPublicKey(await readText(file), file)));
    const engine = await openEngine(context, options);
    const closers: (() => Promise<unknown>)[] = [() => engine.close()];
    const close = (): Promise<void> => ending(closers);
    try {
      // A start without an accelerator does not count as a boot of the model.
      const slots = options.state === undefined ? null : await PersistentSlots.open(options.state);
      if (slots !== null)
        closers.unshift(
          () => slots.keep(),
          () => slots.close(),
        );
      const served = { engine, target, keys, slots };
      const { uri, id, stop, lost } = await (isBrokerUri(options.listen) ? serveAtBroker : serveOne)(
        context,
        served,
        options,
      );
      closers.unshift(stop);
      return {
        document: { uri, id, target: target.id, pid: process.pid },
        text: `${id} listens at ${uri}; press Ctrl-C to stop`,
        serve: untilInterrupted(context.signal, close, lost),
      };
    } catch (error) {
      await close().catch(() => undefined);
      throw error;
    }
  },
});

interface Served {
  readonly engine: import('../../devices/accelerator/index.js').AcceleratorEngine;
  readonly target: Target;
  readonly keys: readonly VerifyingKey[];
  readonly slots: PersistentSlots | null;
}

/** Where it answers, and how to stop it. */
interface Answering {
  readonly uri: string;
  readonly id: string;
  readonly stop: () => Promise<void>;
  /** Rejects when it can no longer be served. */
  readonly lost: Promise<never> | null;
}

const emulatedUri = 'sim:coral-usb';

/** @throws USAGE for options that do not apply */
function requireFitting(options: Options, atBroker: boolean): void {
  const emulating = options.device.startsWith('sim:');
  const refuse = (reason: string): never => {
    throw fail('USAGE', { reason });
  };
  if (emulating && options.device !== emulatedUri)
    refuse(`--device ${options.device}: only ${emulatedUri} can be emulated`);
  if (emulating && listOf(options.emulate).length === 0)
    refuse('an emulated accelerator needs the models that it can run: --emulate FILE');
  if (!emulating && options.emulate !== undefined) refuse(`--emulate is for --device ${emulatedUri}`);
  if (!atBroker && (options.tag !== undefined || options.data !== undefined))
    refuse('--tag and --data are for a fleet: --listen mqtt://BROKER/FLEET/DEVICE');
  if (options.id === '') refuse('--id is empty');
}

async function openEngine({ progress, signal }: Context, options: Options): Promise<Served['engine']> {
  const { acceleratorEngine, acceleratorOptions, attachAccelerator, EmulatedAccelerator, isAcceleratorUri } =
    await import('../../devices/accelerator/index.js');
  const onProgress = progress.update;
  if (options.device === emulatedUri) {
    const emulated = new EmulatedAccelerator({ models: await Promise.all(listOf(options.emulate).map(pairOf)) });
    return acceleratorEngine(
      () => attachAccelerator(emulatedUri, { devices: emulated.devices, settleMs: 0, onProgress, signal }),
      { emulated },
    );
  }
  const { acceleratorUri } = await import('../../devices/open-device.js');
  const uri = await acceleratorUri(options.device);
  if (!isAcceleratorUri(uri))
    throw fail('DEVICE_UNKNOWN', {
      device: uri,
      reason: 'only accelerators are served by a host; boards serve themselves',
    });
  const onWarning = (text: string): void => progress.note(text);
  return acceleratorEngine(() => attachAccelerator(uri, { ...acceleratorOptions(uri), onProgress, onWarning, signal }));
}

/** A compiled model, and the uncompiled model beside it. */
async function pairOf(file: string) {
  const [{ readBytes }, { readModel }] = await Promise.all([
    import('../../base/files/index.js'),
    import('../../formats/tflite/index.js'),
  ]);
  const beside = besideOf(file);
  if (beside === file)
    throw fail('USAGE', {
      reason: `--emulate ${file}: a compiled model must be named NAME_edgetpu.tflite, the uncompiled one NAME.tflite`,
    });
  return { compiled: readModel(await readBytes(file), file), uncompiled: readModel(await readBytes(beside), beside) };
}

/** Reports events as they happen. */
function eventListeners({ progress }: Context) {
  return {
    onFault: (error: unknown) => progress.note(reasonOf(error)),
    onActivated: () => progress.note('a model was activated'),
  };
}

async function serveOne(
  context: Context,
  { engine, target, keys, slots }: Served,
  options: Options,
): Promise<Answering> {
  const [{ ServedDevice }, { listen }, { maxPacketBytes }] = await Promise.all([
    import('../../devices/simulated/index.js'),
    import('../../devices/transport/index.js'),
    import('../../devices/protocol/index.js'),
  ]);
  const device = new ServedDevice(target, engine, {
    keys,
    maxPacketBytes,
    ...eventListeners(context),
    ...(options.id === undefined ? {} : { id: options.id }),
    ...(slots === null ? {} : { slots, keep: () => slots.keep() }),
  });
  const { uri, close } = await listen(options.listen, (transport) => device.serve(transport));
  return { uri, id: device.id, stop: close, lost: null };
}

async function serveAtBroker(
  context: Context,
  { engine, target, keys, slots }: Served,
  options: Options,
): Promise<Answering> {
  const [{ fleetOf, parseBrokerAddress }, { serveFleet }, { openDataset }, { maxPacketBytes }] = await Promise.all([
    import('../../devices/mqtt/index.js'),
    import('../../devices/simulated/index.js'),
    import('../../data/index.js'),
    import('../../devices/protocol/index.js'),
  ]);
  const address = parseBrokerAddress(options.listen);
  const id = address.device ?? options.id;
  if (id === undefined)
    throw fail('BROKER_ADDRESS', {
      uri: address.uri,
      reason: 'it does not name a device: use mqtt://BROKER/FLEET/DEVICE, or --id',
    });
  if (address.device !== null && options.id !== undefined && options.id !== id)
    throw fail('USAGE', { reason: `--listen names ${id}, but --id is ${options.id}` });
  const served = await serveFleet(address, {
    fleet: fleetOf(address),
    ids: [id],
    target,
    keys,
    tags: tagsOf(listOf(options.tag)),
    engine,
    smp: { maxPacketBytes, inflateBytes: null },
    onEvent: (text) => context.progress.note(text),
    onTrouble: (text) => context.progress.note(text),
    ...(slots === null ? {} : { slots }),
    ...(options.data === undefined ? {} : { samples: await openDataset(options.data) }),
    signal: context.signal,
  });
  return {
    uri: address.device === null ? `${address.uri}/${id}` : address.uri,
    id,
    stop: served.close,
    lost: served.lost,
  };
}

/** Runs all of them, even if one fails. @throws the first error */
async function ending(steps: readonly (() => Promise<unknown>)[]): Promise<void> {
  const errors: unknown[] = [];
  for (const step of steps) await step().catch((error: unknown) => errors.push(error));
  if (errors.length > 0) throw errors[0];
}

function listOf(values: unknown): readonly string[] {
  return (values as readonly string[] | undefined) ?? [];
}
