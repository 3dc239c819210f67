// The device side on Arm's MPS2 boards under QEMU: console framing on UART 0, flash in the PSRAM (which QEMU can keep
// in a file), and the runtime that is linked. TARGET and PSRAM are set by the Makefile.
#include <string.h>

#include "atoll/device.h"
#include "board.h"
#include "console.h"
#include "inference.h"

enum { SECTOR_BYTES = 4096, UNIT_BYTES = 16, SLOT_BYTES = 480 * SECTOR_BYTES, ARENA_BYTES = (4 << 20) - (64 << 10) };

__attribute__((section(".arena"), aligned(16))) static uint8_t arena[ARENA_BYTES];
static uint8_t *const psram = (uint8_t *)PSRAM;

static uint32_t ticks(void *context) {
  (void)context;
  return ~TIMER->value;
}

static uint32_t now_ms(void *context) {
  (void)context;
  return 10 * COUNTER_100HZ;
}

static void reset(void *context) {
  (void)context;
  // The last byte of the response is still being sent.
  while (UART->state & UART_TX_FULL) {
  }
  RESET_CONTROL = RESET_REQUEST;
  for (;;) {
  }
}

/** Remaining time of the watchdog; 0: off. */
static volatile uint32_t watched_ms;

void systick(void);
void systick(void) {
  if (watched_ms == 0) return;
  watched_ms -= watched_ms < SYSTICK_MS ? watched_ms : SYSTICK_MS;
  if (watched_ms == 0) reset(NULL);
}

/**
 * Counted in interrupts, which are enabled only while a model runs. QEMU's own watchdog expires at once if time is
 * counted in instructions.
 */
static void watchdog(void *context, uint32_t ms) {
  (void)context;
  __asm volatile("cpsid i");
  watched_ms = ms;
  if (ms == 0) {
    NVIC_ENABLE = 1u << UART_RX_IRQ;
    return;
  }
  NVIC_DISABLE = 1u << UART_RX_IRQ;
  __asm volatile("cpsie i");
}

static bool erase(void *context, uint32_t offset) {
  (void)context;
  memset(psram + offset, 0xff, SECTOR_BYTES);
  return true;
}

/** Like flash: bits change from 1 to 0 only. */
static bool write(void *context, uint32_t offset, const uint8_t *bytes, uint32_t length) {
  (void)context;
  for (uint32_t i = 0; i < length; i++) psram[offset + i] &= bytes[i];
  return memcmp(psram + offset, bytes, length) == 0;
}

static void put(void *context, uint8_t byte) {
  (void)context;
  while (UART->state & UART_TX_FULL) {
  }
  UART->data = byte;
}

static void begin_serial(void) {
  UART->divider = 16;
  UART->control = UART_TX_ENABLE | UART_RX_ENABLE | UART_RX_INTERRUPT;
  // Without a first read, QEMU may never deliver any byte.
  (void)UART->data;
  UART->interrupt = 2;
}

/** Sleeps until a byte arrives, or for a tenth of a second. Interrupts remain masked: pending ones end the sleep. */
static void doze(void) {
  __asm volatile("wfi");
  INTERRUPT_STATE = SYSTICK_PENDING_CLEAR;
  UART->interrupt = 2;
  NVIC_CLEAR = 1u << UART_RX_IRQ;
}

int main(void) {
  static atoll_device device;
  static atoll_console console;
  static uint8_t answer[ATOLL_PACKET_BYTES];
  static const atoll_system system = {.id = TARGET,
                                      .target = TARGET,
                                      .firmware = "atoll-device mps2",
                                      .tick_hz = CLOCK_HZ,
                                      .ticks = ticks,
                                      .now_ms = now_ms,
                                      .reset = reset,
                                      .watchdog = watchdog};
  static const atoll_flash flash = {.memory = (const uint8_t *)PSRAM,
                                    .sector_bytes = SECTOR_BYTES,
                                    .unit_bytes = UNIT_BYTES,
                                    .slot_bytes = SLOT_BYTES,
                                    .erase = erase,
                                    .write = write};
  __asm volatile("cpsid i");
  TIMER->reload = UINT32_MAX;
  TIMER->value = UINT32_MAX;
  TIMER->control = 1;
  SYSTICK_RELOAD = CLOCK_HZ / 1000 * SYSTICK_MS - 1;
  SYSTICK_CONTROL = 7;
  NVIC_ENABLE = 1u << UART_RX_IRQ;
  begin_serial();
  if (!atoll_device_boot(&device, &system, &flash, board_inference(arena, ARENA_BYTES, ticks))) return 1;
  for (;;) {
    if ((UART->state & UART_RX_FULL) == 0) {
      atoll_device_poll(&device);
      doze();
      continue;
    }
    const uint32_t length = atoll_console_take(&console, (uint8_t)UART->data);
    if (length == 0) continue;
    const uint32_t answered = atoll_device_answer(&device, console.frame + 2, length, answer);
    if (answered > 0) atoll_console_send(answer, answered, put, NULL);
    atoll_device_poll(&device);
  }
}
