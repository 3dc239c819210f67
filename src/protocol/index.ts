// SMP, the Simple Management Protocol: packets (8-byte header and a CBOR map), the commands that Atoll uses, and their
// status codes. Nothing here sends anything; transports carry the packets.

export { type CborMap, decodeMap, encodeMap } from './cbor.js';
export { bytes, type Command, decodeRequest, decodeResponse, encodePayload, type RequestOf, type ResponseOf, uint } from './command.js';
export { atollCommands, type DeviceDescription, fileCommands, osCommands, type SlotState, slotFiles, statsCommands } from './commands.js';
export { ConsoleDecoder, consoleBytes, consoleOverheadBytes, encodeConsole, type FrameReceiver, longestConsolePacket, longestLineBytes } from './console.js';
export {
  challengeSamples,
  type Desired,
  decodeDesired,
  decodeReported,
  encodeDesired,
  encodeReported,
  isBlockSize,
  type Reported,
  type ReportedState,
  reportedStates,
  segmentBlocks,
} from './fleet.js';
export { decodePacket, encodePacket, headerBytes, maxPacketBytes, Op, type SmpHeader, type SmpPacket } from './header.js';
export { RawDecoder } from './raw-frames.js';
export { AtollStatus, adviceFor, FileStatus, Group, OsStatus, SmpStatus, statusName } from './status.js';
