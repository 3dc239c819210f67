// Signatures with OpenSSL, for the POSIX ports.
#ifndef ATOLL_POSIX_VERIFY_H
#define ATOLL_POSIX_VERIFY_H

#include "atoll/system.h"

/**
 * Adds the public key of a PEM file to the trusted ones.
 * @return false if it is not a key, or without OpenSSL in this build
 */
bool verify_trust(const char *path);

/** For atoll_system. */
bool verify_signature(void *context, const atoll_signature *signature);

#endif
