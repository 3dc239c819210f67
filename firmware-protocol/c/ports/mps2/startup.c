// From reset to main: vectors and memory.
#include <stdint.h>
#include <string.h>

#include "board.h"

extern uint32_t data_load[], data_start[], data_end[], bss_start[], bss_end[], stack_top[];
int main(void);
void start(void);
void systick(void);
void restart(void);

void start(void) {
#ifdef __ARM_FP
  // The floating-point unit is off after a reset.
  COPROCESSOR_ACCESS |= 0xfu << 20;
  __asm volatile("dsb\n isb");
#endif
  memcpy(data_start, data_load, (size_t)((uintptr_t)data_end - (uintptr_t)data_start));
  memset(bss_start, 0, (size_t)((uintptr_t)bss_end - (uintptr_t)bss_start));
  (void)main();
  restart();
}

/** A fault counts as a failed boot. */
void restart(void) {
  RESET_CONTROL = RESET_REQUEST;
  for (;;) {
  }
}

typedef void (*vector)(void);
__attribute__((section(".vectors"), used)) static const vector vectors[16] = {
    (vector)(uintptr_t)stack_top,
    start,
    restart,
    restart,
    restart,
    restart,
    restart,
    0,
    0,
    0,
    0,
    restart,
    restart,
    0,
    restart,
    systick,
};
