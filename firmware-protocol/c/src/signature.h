// The signature of a slot image: COSE_Sign1 (RFC 9052) over the manifest, which is detached.
#ifndef ATOLL_SIGNATURE_H
#define ATOLL_SIGNATURE_H

#include "atoll/system.h"
#include "cbor.h"

/** Length of the longest head: a Sig_structure up to its payload. */
enum { ATOLL_SIGNED_HEAD_BYTES = 32 };

/**
 * Splits a signature for the port to verify.
 * @param head room for ATOLL_SIGNED_HEAD_BYTES, filled here; `out` points into it and into the image
 * @return false if it is not a COSE_Sign1 with a known algorithm
 */
bool atoll_signature_read(atoll_bytes encoded, atoll_bytes manifest, uint8_t *head, atoll_signature *out);

#endif
