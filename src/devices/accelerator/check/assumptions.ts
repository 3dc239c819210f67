// The driver's assumptions about an accelerator that only hardware can confirm: each with its source, and a check
// against observations.

import { defined } from '../../../base/checked.js';
import { endpoints, eventBytes, fatalErrorBit, firstInterruptTag, headerBytes } from '../link.js';
import { type Observations, steps } from './probe.js';
import type { WatchedTransfer } from './watched-usb.js';

export interface AssumptionResult {
  /** `unseen` if the observations do not decide it. */
  readonly verdict: 'confirmed' | 'refuted' | 'unseen';
  readonly evidence: string;
}

export interface Assumption {
  readonly id: string;
  readonly says: string;
  /** Source of the assumption. */
  readonly basis: string;
  readonly judge: (seen: Observations) => AssumptionResult;
}

const superSpeedPacketBytes = 1024;
const piecesBytes = 256;
const dfuBlockBytes = 256;
const fastEnough = 1.3;
const reading = { download: 'class 1', upload: 'class 2', getStatus: 'class 3' } as const;
const overAfterEnd: readonly number[] = [2, 6, 7, 8];

const yes = (evidence: string): AssumptionResult => ({ verdict: 'confirmed', evidence });
const no = (evidence: string): AssumptionResult => ({ verdict: 'refuted', evidence });
const unseen = (evidence: string): AssumptionResult => ({ verdict: 'unseen', evidence });
const judged = (holds: boolean, evidence: string): AssumptionResult => (holds ? yes(evidence) : no(evidence));

const ranAlready = 'it was already running its firmware: unplug it, plug it in again, and run this again';
const failed = (seen: Observations, ...of: readonly string[]): string =>
  seen.failures
    .filter(({ step }) => of.includes(step))
    .map(({ step, code, message }) => `${step}: ${code}, ${message}`)
    .join('; ') || 'not tried';

const firmwareTransfers = (seen: Observations, request: string): WatchedTransfer[] =>
  seen.transfers.filter(({ step, where }) => step === steps.first && where.startsWith(`${request} `));

/** Over all inferences that completed. */
const inferenceTransfers = (seen: Observations, what: 'in' | 'out', endpoint: number): WatchedTransfer[] => {
  const step = seen.runs?.oneAtATime === true ? steps.runsOneAtATime : steps.runs;
  return seen.transfers.filter(
    (transfer) =>
      transfer.step === step && transfer.what === what && transfer.where === String(endpoint) && transfer.got !== null,
  );
};

/** Assumptions that only show in whether inferences complete, or in their results. */
const byInferences =
  (judge: (runs: NonNullable<Observations['runs']>, seen: Observations) => AssumptionResult): Assumption['judge'] =>
  (seen) =>
    seen.runs === null ? unseen(failed(seen, steps.first, steps.runs, steps.runsOneAtATime)) : judge(seen.runs, seen);

export const assumptions: readonly Assumption[] = [
  {
    id: 'dfu-shape',
    says:
      'Before it has its firmware, it has one DFU interface with one setting, which takes blocks of ' +
      `${dfuBlockBytes} bytes.`,
    basis: 'libedgetpu, usb_dfu_commands.cc; LibrEdgeTPU, its notes on DFU',
    judge: ({ waiting, ...seen }) => {
      if (waiting === null) return unseen(ranAlready);
      const largest = Math.max(...firmwareTransfers({ waiting, ...seen }, reading.download).map(({ asked }) => asked));
      return judged(
        waiting.dfuAlternates === 1 && largest === dfuBlockBytes,
        `${waiting.dfuAlternates} setting(s), blocks of ${largest} bytes`,
      );
    },
  },
  {
    id: 'dfu-end',
    says: 'An empty block ends the firmware; after it the device answers at once, and is idle or about to be.',
    basis: 'DFU 1.1, annex A; libedgetpu waits for dfuIDLE here',
    judge: (seen) => {
      const end = firmwareTransfers(seen, reading.download).find(({ asked }) => asked === 0);
      const status = firmwareTransfers(seen, reading.getStatus).find(
        ({ atMs }) => atMs > (end?.atMs ?? Number.POSITIVE_INFINITY),
      );
      if (status === undefined) return unseen(seen.waiting === null ? ranAlready : failed(seen, steps.first));
      const state = Number.parseInt(status.bytes.slice(8, 10), 16);
      return judged(overAfterEnd.includes(state), `${status.status}, state ${state}`);
    },
  },
  {
    id: 'dfu-reads-back',
    says: 'It gives back the firmware that was sent, and goes on to the end of its memory, within 64 KiB.',
    basis: 'libedgetpu, usb_dfu_util.cc (ValidateFirmware); what follows it is a guess',
    judge: (seen) => {
      const reads = firmwareTransfers(seen, reading.upload);
      if (reads.length === 0) return unseen(seen.waiting === null ? ranAlready : failed(seen, steps.first));
      const all = reads.reduce((sum, { got }) => sum + (got ?? 0), 0);
      const last = defined(reads.at(-1));
      return judged(
        seen.waiting !== null && (last.got ?? 0) < last.asked,
        `${all} bytes in ${reads.length} reads, the last of ${last.got} (${last.status})`,
      );
    },
  },
  {
    id: 'comes-back',
    says: 'A reset starts the firmware: the device leaves the bus, and comes back as 18d1:9302 within 10 s.',
    basis: 'libedgetpu, usb_driver.cc; 2 to 3 s by reports of users',
    judge: (seen) =>
      seen.waiting === null
        ? unseen(seen.failures.some(({ step }) => step === steps.first) ? failed(seen, steps.first) : ranAlready)
        : yes(`open again after ${Math.round(seen.waiting.backAfterMs)} ms`),
  },
  {
    id: 'firmware-stays',
    says: 'A further reset leaves the firmware running; what the chip was doing, and has cached, is gone.',
    basis: 'libedgetpu resets each device that it opens',
    judge: (seen) => {
      if (!seen.settling.some(({ error }) => error === null)) return unseen(failed(seen, steps.first, steps.settling));
      const again = seen.transfers.some(
        ({ step, where }) =>
          step !== steps.first && step !== steps.unplugged && where.startsWith(`${reading.download} `),
      );
      return judged(
        !again,
        `${seen.settling.length} further starts; firmware was ${again ? '' : 'not '}asked for again`,
      );
    },
  },
  {
    id: 'endpoints',
    says:
      'Everything goes out by bulk endpoint 1; outputs come from bulk endpoint 1, events from 2, warnings from ' +
      'interrupt endpoint 3.',
    basis: 'libedgetpu, usb_ml_commands.h',
    judge: ({ running, ...seen }) => {
      if (running === null) return unseen(failed({ running, ...seen }, steps.list));
      const has = (direction: string, number: number, type: string): boolean =>
        running.endpoints.some((one) => one.direction === direction && one.number === number && one.type === type);
      const { out, output, event, interrupt } = endpoints;
      return judged(
        has('out', out, 'bulk') &&
          has('in', output, 'bulk') &&
          has('in', event, 'bulk') &&
          has('in', interrupt, 'interrupt'),
        running.endpoints
          .map(({ direction, number, type, packetBytes }) => `${direction} ${number} ${type} ${packetBytes}`)
          .join(', '),
      );
    },
  },
  {
    id: 'no-serial',
    says: 'It has no serial number: two at one host cannot be told apart.',
    basis: 'descriptors that users have published (all string indices 0)',
    judge: ({ running, ...seen }) =>
      running === null
        ? unseen(failed({ running, ...seen }, steps.list))
        : judged(
            running.serialNumber === null || running.serialNumber === '',
            `serial number: ${running.serialNumber ?? 'none'}`,
          ),
  },
  {
    id: 'frame-registers',
    says: 'After a reset its frame holds what the emulated one holds.',
    basis:
      'a recorded start of a device (geohot/edgetpuxray); the driver changes single fields of them, whatever ' +
      'the others hold',
    judge: (seen) => {
      if (seen.frame === null) return unseen(failed(seen, steps.frame));
      const other = seen.frame.filter(({ expected, found }) => expected !== found);
      return judged(
        other.length === 0,
        other.length === 0
          ? `${seen.frame.length} registers`
          : other.map(({ register, expected, found }) => `${register} holds ${found}, not ${expected}`).join('; '),
      );
    },
  },
  {
    id: 'settling',
    says: 'Left alone for 600 ms after a reset, it can be opened and started.',
    basis: 'libedgetpu waits for 1 s; what it needs is nowhere said',
    judge: (seen) => {
      const enough = seen.settling.filter(({ ms }) => ms >= 600);
      const told = seen.settling.map(({ ms, error }) => `${ms} ms: ${error ?? 'starts'}`).join('; ');
      return enough.length === 0
        ? unseen(failed(seen, steps.settling))
        : judged(
            enough.every(({ error }) => error === null),
            told,
          );
    },
  },
  {
    id: 'clocks',
    says:
      'performance=low, medium, high, max runs its core at 63, 125, 250, 500 MHz: an inference is faster at max ' +
      'than at low.',
    basis: 'libedgetpu, beagle_top_level_handler.cc',
    judge: (seen) => {
      const fastest = (name: string): number =>
        Math.min(...seen.clocks.flatMap(({ performance, medianMs }) => (performance === name ? [medianMs] : [])));
      const told = seen.clocks
        .map(({ performance, medianMs }) => `${performance} ${medianMs.toFixed(3)} ms`)
        .join(', ');
      return seen.clocks.length === 0
        ? unseen(failed(seen, steps.clocks))
        : judged(fastest('low') > fastEnough * fastest('max'), told);
    },
  },
  {
    id: 'headers-apart',
    says: `A header of ${headerBytes} bytes may come in a transfer of its own, before what it announces.`,
    basis: 'libedgetpu, usb_ml_commands.cc (WriteHeader)',
    judge: byInferences(({ inferences }) => yes(`${inferences} inferences came to an end`)),
  },
  {
    id: 'under-way',
    says: 'It takes three transfers that are under way at once on its one endpoint.',
    basis: 'libedgetpu, beagle_usb_driver_provider.cc (USB_MAX_NUM_ASYNC_TRANSFERS: 3 but on macOS)',
    judge: byInferences(({ oneAtATime }, seen) =>
      oneAtATime
        ? no(`it works with one at a time only; before, ${failed(seen, steps.runs)}`)
        : overlapping(inferenceTransfers(seen, 'out', endpoints.out)),
    ),
  },
  {
    id: 'output-reads',
    says: 'At SuperSpeed an output comes as one read of whole packets, up to 1 MiB, that ends with it.',
    basis: 'libedgetpu, usb_driver.cc (outfeed_chunk_length 0x80)',
    judge: byInferences((_, seen) => {
      if (!isSuperSpeed(seen)) return unseen('it is at a port of USB 2');
      const reads = inferenceTransfers(seen, 'in', endpoints.output);
      const shorter = reads.filter(({ asked, got }) => (got ?? 0) + superSpeedPacketBytes <= asked);
      return judged(
        shorter.length === 0,
        `${reads.length} reads, ${shorter.length} of which ended more than a packet early`,
      );
    }),
  },
  {
    id: 'output-pieces',
    says: `At USB 2 outputs come in pieces of ${piecesBytes} bytes, each of which ends a read.`,
    basis: 'libedgetpu, usb_driver.cc (outfeed_chunk_length 0x20, a workaround)',
    judge: byInferences((_, seen) => {
      if (isSuperSpeed(seen)) return unseen('it is at a port of USB 3: try one of USB 2 as well');
      const lengths = [...new Set(inferenceTransfers(seen, 'in', endpoints.output).map(({ got }) => got ?? 0))];
      return judged(
        lengths.every((length) => length <= piecesBytes),
        `reads of ${lengths.slice(0, 8).join(', ')} bytes`,
      );
    }),
  },
  {
    id: 'event',
    says:
      `The end of an execution is an event of ${eventBytes} bytes, whose byte 12 has ${firstInterruptTag} and ` +
      'more in its lower half.',
    basis: 'libedgetpu, usb_ml_commands.cc (AsyncReadEvent); the low 4 bits of byte 12, by its bit fields',
    judge: byInferences((_, seen) => {
      const events = inferenceTransfers(seen, 'in', endpoints.event);
      return events.length === 0
        ? unseen('no event')
        : judged(
            events.every(
              ({ got, bytes }) =>
                got === eventBytes && (Number.parseInt(bytes.slice(24, 26), 16) & 15) >= firstInterruptTag,
            ),
            `${events.length}, such as ${events[0]?.bytes}`,
          );
    }),
  },
  {
    id: 'interrupt-quiet',
    says: 'While all goes well, the interrupt endpoint says nothing with bit 0 set.',
    basis: 'libedgetpu, usb_driver.cc (bit 0 of the 4 bytes: a fatal error)',
    judge: byInferences((_, seen) => {
      const words = inferenceTransfers(seen, 'in', endpoints.interrupt).map(({ bytes }) => bytes);
      return judged(
        words.every((bytes) => (Number.parseInt(bytes.slice(0, 2), 16) & fatalErrorBit) === 0),
        words.length === 0 ? 'no output' : `it said ${words.slice(0, 8).join(', ')}`,
      );
    }),
  },
  {
    id: 'addresses',
    says: 'Addresses in instructions only name what is transferred: any will do, as long as they differ.',
    basis: 'libedgetpu, usb_driver.cc, in which no address is looked at',
    judge: byInferences(({ differentBytes, outputBytes }) =>
      judged(
        differentBytes === 0,
        `with addresses of our own, ${differentBytes} of ${outputBytes} bytes are others than the simulator's`,
      ),
    ),
  },
  {
    id: 'cached',
    says: 'Parameters that went there once stay for the executions that follow.',
    basis: 'libedgetpu, driver.cc (parameter_caching_token)',
    judge: byInferences(({ caching, inferences, differentBytes }) =>
      caching
        ? judged(
            differentBytes === 0,
            `${inferences} inferences after they were sent once, ${differentBytes} bytes of whose outputs are wrong`,
          )
        : unseen('this model caches none'),
    ),
  },
  {
    id: 'signed',
    says: 'Elements of int8 travel with their highest bit flipped.',
    basis: 'libedgetpu, layer_information.cc (TransformSignedDataType); LibrEdgeTPU has seen it',
    judge: byInferences(({ signedLayers, differentBytes }) =>
      signedLayers === 0
        ? unseen('this model has no such layer')
        : judged(differentBytes === 0, `${signedLayers} layers, ${differentBytes} wrong bytes`),
    ),
  },
  {
    id: 'tiles',
    says: 'Outputs lie tile after tile, as the tables of their layout say.',
    basis: 'libedgetpu, layer_information.cc (Relayout)',
    judge: byInferences(({ tiledLayers, differentBytes }) =>
      tiledLayers === 0
        ? unseen('no output of this model comes from several tiles')
        : judged(differentBytes === 0, `${tiledLayers} layers, ${differentBytes} wrong bytes`),
    ),
  },
  {
    id: 'exact',
    says: "Its outputs are the simulator's, to the last bit.",
    basis:
      'the arithmetic of quantized operators in TFLite, which edgetpu_compiler is to keep; nobody promises the bits',
    judge: byInferences(({ differentBytes, outputBytes, maxDifference, inferences }) =>
      judged(
        differentBytes === 0,
        `${inferences} inferences: ${differentBytes} of ${outputBytes} bytes differ, by at most ${maxDifference}`,
      ),
    ),
  },
  {
    id: 'letting-go',
    says: 'Releasing its interface ends the reads that wait, so that it can be closed within 1 s.',
    basis: 'Linux, usbfs: releasing an interface ends its transfers',
    judge: (seen) =>
      seen.abandoned === null
        ? unseen(failed(seen, steps.abandoned))
        : judged(
            seen.abandoned.closeMs < 1000,
            `closed in ${Math.round(seen.abandoned.closeMs)} ms, with a read that waited`,
          ),
  },
  {
    id: 'starts-anew',
    says: 'Left in the midst of an execution, it works again after a reset and a start.',
    basis: 'libedgetpu resets each device that it opens',
    judge: (seen) =>
      seen.abandoned === null
        ? unseen(failed(seen, steps.abandoned))
        : judged(
            seen.abandoned.rightAfterwards,
            seen.abandoned.rightAfterwards ? 'the next inference was right' : 'the next inference was wrong',
          ),
  },
  {
    id: 'fatal',
    says:
      'Sent what it does not understand, it stalls, or says so by bit 0 of its interrupt endpoint, or in ' +
      'hib_error_status; a reset makes it work again.',
    basis: 'libedgetpu, usb_driver.cc and beagle_top_level_interrupt_manager.cc; which of the three is not known',
    judge: (seen) => {
      if (seen.provoked === null)
        return unseen(
          seen.failures.some(({ step }) => step === steps.provoked) ? failed(seen, steps.provoked) : 'not provoked',
        );
      const { error, status, rightAfterwards } = seen.provoked;
      return judged(
        (error !== null || (status !== null && status !== '0x0')) && rightAfterwards,
        `${error ?? `hib_error_status ${status}`}; afterwards ${rightAfterwards ? 'right' : 'wrong'}`,
      );
    },
  },
  {
    id: 'unplugged',
    says: 'Unplugged while it works, it is told to be gone; plugged in again, it works.',
    basis: 'libusb: LIBUSB_ERROR_NO_DEVICE',
    judge: (seen) => {
      if (seen.unplugged === null)
        return unseen(
          seen.failures.some(({ step }) => step === steps.unplugged)
            ? failed(seen, steps.unplugged)
            : 'the plug was not pulled',
        );
      const { error, rightAfterwards } = seen.unplugged;
      if (error === null) return unseen('it was not unplugged');
      return judged(
        error.startsWith('DEVICE_CLOSED') && rightAfterwards,
        `${error}; afterwards ${rightAfterwards ? 'right' : 'wrong'}`,
      );
    },
  },
];

function overlapping(sent: readonly WatchedTransfer[]): AssumptionResult {
  const ordered = [...sent].sort((a, b) => a.atMs - b.atMs);
  const overlaps = ordered.filter(
    ({ atMs }, i) => i > 0 && atMs < (ordered[i - 1]?.atMs ?? 0) + (ordered[i - 1]?.tookMs ?? 0),
  ).length;
  return overlaps === 0
    ? unseen('no two were under way at once')
    : yes(`${overlaps} of ${ordered.length} began while another was under way`);
}

function isSuperSpeed({ running }: Observations): boolean {
  return (
    running?.endpoints.some(
      ({ direction, number, packetBytes }) =>
        direction === 'in' && number === endpoints.output && packetBytes >= superSpeedPacketBytes,
    ) ?? false
  );
}
