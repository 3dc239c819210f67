// Signatures by OpenSSL, for the ports of this machine.
#ifndef ATOLL_POSIX_VERIFY_H
#define ATOLL_POSIX_VERIFY_H

#include "atoll/system.h"

/** Trusts the public key of a PEM file from now on. @return false where it is none, or this was built without OpenSSL */
bool verify_trust(const char *path);

/** For atoll_system. */
bool verify_signature(void *context, const atoll_signature *signature);

#endif
