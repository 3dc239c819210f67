// The registers that the driver uses, and their fields. Names, addresses and fields are libedgetpu's:
// driver/config/beagle/beagle_csr_offsets.h, driver/config/beagle_csr_helper.h, driver/config/common_csr_helper.h.

export interface Register {
  readonly name: string;
  readonly at: number;
  /** Registers of the chip's frame have 32 bits, those of its core 64; each width has its own request. */
  readonly bits: 32 | 64;
}

/** A bit field of a register. */
export interface Field {
  readonly from: number;
  readonly width: number;
}

function frame(name: string, at: number): Register {
  return { name, at, bits: 32 };
}

function core(name: string, at: number): Register {
  return { name, at, bits: 64 };
}

/** The frame: clocks, power, temperature. */
export const registers = {
  scuCtrl0: frame('scu_ctrl_0', 0x1a30c),
  scuCtrl2: frame('scu_ctrl_2', 0x1a314),
  scuCtrl3: frame('scu_ctrl_3', 0x1a318),
  scuCtr7: frame('scu_ctr_7', 0x1a33c),
  gcbbCredit0: frame('gcbb_credit0', 0x1907c),
  omc0: frame('omc0_00', 0x1a000),
  omcD4: frame('omc0_d4', 0x1a0d4),
  omcD8: frame('omc0_d8', 0x1a0d8),
  omcDc: frame('omc0_dc', 0x1a0dc),
  rambistCtrl1: frame('rambist_ctrl_1', 0x1a704),
  slaveMonitorEnable: frame('slv_abm_en', 0x1a500),
  masterMonitorEnable: frame('mst_abm_en', 0x1a600),
  slaveWriteError: frame('slv_wr_err_resp', 0x1a540),
  slaveReadError: frame('slv_rd_err_resp', 0x1a544),
  masterWriteError: frame('mst_wr_err_resp', 0x1a640),
  masterReadError: frame('mst_rd_err_resp', 0x1a644),
  slaveErrorMask: frame('slv_err_resp_isr_mask', 0x1a558),
  masterErrorMask: frame('mst_err_resp_isr_mask', 0x1a658),
  idle: core('idleRegister', 0x4a000),
  tileConfig0: core('tileconfig0', 0x48788),
  deepSleep: core('deepSleep', 0x40020),
  descriptorEndpoints: core('descr_ep', 0x4c148),
  multipleOutEndpoints: core('multi_bo_ep', 0x4c160),
  outfeedChunkLength: core('outfeed_chunk_length', 0x4c058),
  fatalErrorControl: core('fatal_err_int_control', 0x4c060),
  hibErrorStatus: core('hib_error_status', 0x486f0),
  hibFirstErrorStatus: core('hib_first_error_status', 0x48700),
  scalarCoreRunControl: core('scalarCoreRunControl', 0x44018),
} as const satisfies Record<string, Register>;

/** Core registers that are set before anything is executed; tile registers are reachable once broadcast is enabled. */
export const runControls = {
  core: [
    registers.scalarCoreRunControl,
    core('avDataPopRunControl', 0x44158),
    core('parameterPopRunControl', 0x44198),
    core('infeedRunControl', 0x441d8),
    core('outfeedRunControl', 0x44218),
  ],
  tiles: [
    core('opRunControl', 0x400c0),
    core('narrowToWideRunControl', 0x40150),
    core('wideToNarrowRunControl', 0x40110),
    core('meshBus0RunControl', 0x40250),
    core('meshBus1RunControl', 0x40298),
    core('meshBus2RunControl', 0x402e0),
    core('meshBus3RunControl', 0x40328),
    core('ringBusConsumer0RunControl', 0x40190),
    core('ringBusConsumer1RunControl', 0x401d0),
    core('ringBusProducerRunControl', 0x40210),
  ],
} as const;

export const runStates = { idle: 0n, run: 1n, halt: 2n } as const;

/**
 * Warnings of the frame in the order of their bits at the interrupt endpoint, from bit 1 on
 * (beagle_top_level_interrupt_manager.cc).
 */
export const topLevelInterrupts = (
  ['too hot, and shutting down', 'an error on its bus', 'the test of its memory', 'hot'] as const
).map((what, i) => ({
  what,
  control: core(`top_level_int_${i}_control`, 0x4c070 + 16 * i),
  /** Cleared by writing 0. */
  status: core(`top_level_int_${i}_status`, 0x4c078 + 16 * i),
}));

export const fields = {
  scuCtrl0: { pcieInactivePhyMode: { from: 8, width: 3 }, usbInactivePhyMode: { from: 11, width: 3 } },
  scuCtrl2: { gatedCore: { from: 18, width: 2 } },
  scuCtrl3: {
    powerState: { from: 8, width: 2 },
    forceSleep: { from: 22, width: 2 },
    coreClockDivider: { from: 28, width: 2 },
    axiAt125MHz: { from: 30, width: 1 },
    usbControllerAt250MHz: { from: 31, width: 1 },
  },
  scuCtr7: {
    pllLockFailure: { from: 16, width: 1 },
    usbSelectFailure: { from: 17, width: 1 },
    bootFailureMask: { from: 18, width: 2 },
  },
  omcD4: { warningEnabled: { from: 31, width: 1 } },
  omcD8: { shutdownEnabled: { from: 31, width: 1 } },
  omcDc: {
    shutdownClear: { from: 28, width: 1 },
    warningClear: { from: 29, width: 1 },
    shutdown: { from: 30, width: 1 },
    warning: { from: 31, width: 1 },
  },
  rambistCtrl1: { status: { from: 16, width: 3 }, mask: { from: 20, width: 3 } },
} as const;

/** Values of scu_ctrl_2's field: what stops the core's clock. */
export const clockGates = { hardware: 1, none: 2 } as const;
/** Values of scu_ctrl_3's fields. */
export const sleep = { end: 2, force: 3 } as const;
export const powerStates = { running: 0, sleeping: 2 } as const;

/** All tiles at once. */
export const allTiles = 0x7fn;

/** Fields of a 32-bit register. */
export function fieldOf(value: number, { from, width }: Field): number {
  return (value >>> from) & (2 ** width - 1);
}

export function withField(value: number, { from, width }: Field, content: number): number {
  const mask = ((2 ** width - 1) << from) >>> 0;
  return ((value & ~mask) | ((content << from) & mask)) >>> 0;
}
