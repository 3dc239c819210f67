// SMP, the Simple Management Protocol: packets (8-byte header and a CBOR map), the commands that Atoll uses, and their
// status codes. Transports send and receive the packets.

export { type CborMap, decodeMap, encodeMap } from './cbor.js';
export { cleanText } from './clean-text.js';
export {
  bytes,
  type Command,
  decodeRequest,
  decodeResponse,
  encodePayload,
  type RequestOf,
  type ResponseOf,
  uint,
} from './command.js';
export {
  atollCommands,
  type DeviceDescription,
  enumerationCommands,
  fileCommands,
  osCommands,
  type SlotState,
  slotFiles,
  statsCommands,
} from './commands.js';
export {
  ConsoleDecoder,
  consoleBytes,
  consoleOverheadBytes,
  encodeConsole,
  type FrameReceiver,
  fullLines,
  maxConsolePacketBytes,
  maxLineBytes,
} from './console.js';
export {
  type Block,
  type BlockRequest,
  challengeSamples,
  type Desired,
  decodeBlock,
  decodeBlockRequest,
  decodeDesired,
  decodeReported,
  encodeBlock,
  encodeBlockRequest,
  encodeDesired,
  encodeReported,
  isBlockSize,
  maxPulledBlocks,
  maxRolloutName,
  type Reported,
  type ReportedState,
  reportedOutputBytes,
  reportedStates,
  segmentBlocks,
  type WrittenDesired,
  type WrittenReported,
} from './fleet.js';
export {
  decodePacket,
  encodePacket,
  headerBytes,
  maxPacketBytes,
  Op,
  type SmpHeader,
  type SmpPacket,
} from './header.js';
export { RawDecoder } from './raw-frames.js';
export {
  AtollStatus,
  EnumerationStatus,
  FileStatus,
  Group,
  OsStatus,
  SmpStatus,
  statusName,
} from './status.js';
