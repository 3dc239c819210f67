// The signature of a slot image: COSE_Sign1 (RFC 9052) over the manifest, which it does not hold itself.
#ifndef ATOLL_SIGNATURE_H
#define ATOLL_SIGNATURE_H

#include "atoll/system.h"
#include "cbor.h"

/** The longest head: that of a Sig_structure up to its payload. */
enum { ATOLL_SIGNED_HEAD_BYTES = 32 };

/**
 * What a port has to verify.
 * @param head of at least ATOLL_SIGNED_HEAD_BYTES, filled here; the parts of `out` point into it and into the image
 * @return false for what is no COSE_Sign1 of a known algorithm
 */
bool atoll_signature_read(atoll_bytes encoded, atoll_bytes manifest, uint8_t *head, atoll_signature *out);

#endif
