// Status codes of SMP: those of the protocol, and those of each group (Zephyr smp_protocol.rst, smp_group_0.rst,
// smp_group_8.rst). Group 16724 is Atoll's own; firmware-protocol/README.md specifies it.

export const Group = { os: 0, image: 1, stats: 2, file: 8, enumeration: 10, atoll: 16724 } as const;

/** Protocol errors (`rc`). */
export const SmpStatus = {
  EOK: 0,
  EUNKNOWN: 1,
  ENOMEM: 2,
  EINVAL: 3,
  ETIMEOUT: 4,
  ENOENT: 5,
  EBADSTATE: 6,
  EMSGSIZE: 7,
  ENOTSUP: 8,
  ECORRUPT: 9,
  EBUSY: 10,
  EACCESSDENIED: 11,
  UNSUPPORTED_TOO_OLD: 12,
  UNSUPPORTED_TOO_NEW: 13,
  EPERUSER: 256,
} as const;

export const OsStatus = {
  UNKNOWN: 1,
  INVALID_FORMAT: 2,
  QUERY_YIELDS_NO_ANSWER: 3,
  RTC_NOT_SET: 4,
  RTC_COMMAND_FAILED: 5,
} as const;

/** Zephyr enum_mgmt.h. */
export const EnumerationStatus = {
  UNKNOWN: 1,
  TOO_MANY_GROUP_ENTRIES: 2,
  INSUFFICIENT_HEAP_FOR_ENTRIES: 3,
  INDEX_TOO_LARGE: 4,
} as const;

export const FileStatus = {
  UNKNOWN: 1,
  INVALID_NAME: 2,
  NOT_FOUND: 3,
  IS_DIRECTORY: 4,
  OPEN_FAILED: 5,
  SEEK_FAILED: 6,
  READ_FAILED: 7,
  TRUNCATE_FAILED: 8,
  DELETE_FAILED: 9,
  WRITE_FAILED: 10,
  OFFSET_NOT_VALID: 11,
  OFFSET_LARGER_THAN_FILE: 12,
  HASH_NOT_FOUND: 13,
  MOUNT_POINT_NOT_FOUND: 14,
  READ_ONLY: 15,
  FILE_EMPTY: 16,
} as const;

export const AtollStatus = {
  UNKNOWN: 1,
  NO_SUCH_SLOT: 2,
  NO_MODEL: 3,
  IMAGE_INVALID: 4,
  HASH_MISMATCH: 5,
  WRONG_TARGET: 6,
  IMAGE_TOO_LARGE: 7,
  ARENA_TOO_SMALL: 8,
  OPERATOR_MISSING: 9,
  NOT_TESTED: 10,
  SELF_TEST_FAILED: 11,
  SIGNATURE_REQUIRED: 12,
  NO_SUCH_TENSOR: 13,
  OFFSET_NOT_VALID: 14,
  SLOT_IN_USE: 15,
  NOT_PENDING: 16,
  SIGNATURE_INVALID: 17,
  COUNTER_TOO_LOW: 18,
} as const;

const namesByGroup: Readonly<Record<number, Readonly<Record<string, number>>>> = {
  [Group.os]: OsStatus,
  [Group.file]: FileStatus,
  [Group.enumeration]: EnumerationStatus,
  [Group.atoll]: AtollStatus,
};

/** The name of a status code, of its group or of the protocol. */
export function statusName(group: number | null, rc: number): string {
  const table = group === null ? SmpStatus : namesByGroup[group];
  return Object.entries(table ?? {}).find(([, code]) => code === rc)?.[0] ?? `code ${rc}`;
}
