// Counts passed and failed checks.
#ifndef ATOLL_CHECK_H
#define ATOLL_CHECK_H

#include <stdio.h>

static unsigned checks_passed, checks_failed;

#define CHECK(condition)                                                        \
  do {                                                                          \
    if (condition) checks_passed++;                                             \
    else if (checks_failed++ < 20) printf("%s:%d: %s\n", __FILE__, __LINE__, #condition); \
  } while (0)

static int check_result(const char *name) {
  printf("%s: %u passed, %u failed\n", name, checks_passed, checks_failed);
  return checks_failed == 0 ? 0 : 1;
}

#endif
