// External programs that write a file to flash: how each is called, how it reports that it verified, and hints for its
// usual errors. Sources: their --help and documentation (esptool 4 and 5, probe-rs 0.2x and 0.3x, OpenOCD 0.12, BOSSA
// 1.9.1).

import type { Flashing } from '../../targets/index.js';
import { type FlashPlace, hexAddress } from './place.js';
import type { FlashChoice } from './way.js';

export type FlashMethod = Exclude<Flashing['method'], 'uf2' | 'dfu'>;
export type How<P extends FlashMethod> = Extract<Flashing, { method: P }>;

export interface CommandParts {
  /** Path of the program. */
  readonly program: string;
  readonly file: string;
  readonly place: FlashPlace;
  readonly choice: FlashChoice;
  /** Serial port, for programs that use one; otherwise empty. */
  readonly port: string;
}

/** Why a program did not write to flash. */
export type FlashCause =
  | 'port-busy'
  | 'no-connection'
  | 'other-chip'
  | 'no-probe'
  | 'several-probes'
  | 'no-scripts'
  | 'locked'
  | 'no-bootloader'
  | 'unsupported-chip'
  | 'unknown';

export interface FlashProgram<P extends FlashMethod> {
  /** Possible names of the program. */
  readonly names: readonly string[];
  readonly usesPort: boolean;
  readonly commands: (how: How<P>, parts: CommandParts, flashStart: number) => readonly (readonly string[])[];
  /** Its output after it has read back and compared; null if its exit code says so. */
  readonly verified: RegExp | null;
  /** Causes of failure by error message. */
  readonly causes: readonly (readonly [complaint: RegExp, cause: FlashCause])[];
}

const programs: { readonly [P in FlashMethod]: FlashProgram<P> } = {
  esptool: {
    names: ['esptool', 'esptool.py'],
    usesPort: true,
    commands: ({ chip }, { program, file, place, choice, port }) => [
      // Versions 4 and 5 both accept this spelling.
      [
        program,
        '--chip',
        chip,
        '--port',
        port,
        '--baud',
        String(choice.baud ?? 460_800),
        'write_flash',
        hexAddress(place.address),
        file,
      ],
    ],
    verified: /^Hash of data verified/m,
    causes: [
      [/could not open|could not be opened|port is busy/i, 'port-busy'],
      [/failed to connect|no serial data received/i, 'no-connection'],
      [/this chip is|wrong.*chip/i, 'other-chip'],
    ],
  },

  'probe-rs': {
    names: ['probe-rs'],
    usesPort: false,
    commands: ({ chip }, { program, file, place, choice }) => {
      const probe = choice.serial === undefined ? [] : ['--probe', choice.serial];
      const address = ['--binary-format', 'bin', '--base-address', hexAddress(place.address)];
      return [
        [program, 'download', '--chip', chip, ...probe, ...address, '--verify', '--non-interactive', file],
        [program, 'reset', '--chip', chip, ...probe, '--non-interactive'],
      ];
    },
    verified: null,
    causes: [
      [/no (connected )?probes? (was|were) found|no probe/i, 'no-probe'],
      [/multiple|several/i, 'several-probes'],
    ],
  },

  openocd: {
    names: ['openocd'],
    usesPort: false,
    commands: ({ scripts }, { program, file, place, choice }) => [
      [
        program,
        ...scripts.flatMap((script) => ['-f', script]),
        ...(choice.serial === undefined ? [] : ['-c', `adapter serial ${choice.serial}`]),
        '-c',
        `program {${file}} ${hexAddress(place.address)} verify reset exit`,
      ],
    ],
    verified: /^\*\* Verified OK \*\*/m,
    causes: [
      [/open failed|no device found|unable to find a matching|unable to open/i, 'no-probe'],
      [/can't find|couldn't find/i, 'no-scripts'],
      [/flash.*(protect|lock)|failed to erase|erase.*fail/i, 'locked'],
    ],
  },

  bossac: {
    names: ['bossac'],
    usesPort: true,
    // It erases from the offset to the end, that is all slots behind the firmware. Offsets count from the application's
    // start.
    commands: (_how, { program, file, place, port }, flashStart) => [
      [
        program,
        `--port=${port}`,
        `--offset=${hexAddress(place.address - flashStart)}`,
        '--erase',
        '--write',
        '--verify',
        '--reset',
        file,
      ],
    ],
    verified: /^Verify successful/m,
    causes: [
      [/no device found|failed to open|not found/i, 'no-bootloader'],
      [/unsupported|device unsupported/i, 'unsupported-chip'],
    ],
  },
};

/** The program of a method, typed by that method. */
export function programOf(method: FlashMethod): FlashProgram<FlashMethod> {
  return programs[method] as unknown as FlashProgram<FlashMethod>;
}

/** Possible names, with their purpose. */
export const flashProgramNames: readonly string[] = Object.values(programs).flatMap(({ names }) => names.slice(0, 1));
