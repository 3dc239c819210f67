// The parts of Arm's MPS2 boards that the port uses, as emulated by QEMU (hw/arm/mps2.c; Arm DAI 0386, DAI 0399).
#ifndef ATOLL_BOARD_H
#define ATOLL_BOARD_H

#include <stdint.h>

enum { CLOCK_HZ = 25000000, SYSTICK_MS = 100 };

/** CMSDK UART 0. */
typedef struct uart_registers {
  volatile uint32_t data, state, control, interrupt, divider;
} uart_registers;
#define UART ((uart_registers *)0x40004000u)
enum {
  UART_TX_FULL = 1, UART_RX_FULL = 2, UART_TX_ENABLE = 1, UART_RX_ENABLE = 2, UART_RX_INTERRUPT = 8, UART_RX_IRQ = 0
};

/** CMSDK timer 0: counts down. */
typedef struct timer_registers {
  volatile uint32_t control, value, reload;
} timer_registers;
#define TIMER ((timer_registers *)0x40000000u)

/** The FPGA's counter of hundredths of a second. */
#define COUNTER_100HZ (*(volatile uint32_t *)0x40028014u)

/** Armv7-M. */
#define NVIC_ENABLE (*(volatile uint32_t *)0xe000e100u)
#define NVIC_DISABLE (*(volatile uint32_t *)0xe000e180u)
#define NVIC_CLEAR (*(volatile uint32_t *)0xe000e280u)
#define COPROCESSOR_ACCESS (*(volatile uint32_t *)0xe000ed88u)
#define SYSTICK_CONTROL (*(volatile uint32_t *)0xe000e010u)
#define SYSTICK_RELOAD (*(volatile uint32_t *)0xe000e014u)
#define INTERRUPT_STATE (*(volatile uint32_t *)0xe000ed04u)
#define RESET_CONTROL (*(volatile uint32_t *)0xe000ed0cu)
#define SYSTICK_PENDING_CLEAR (1u << 25)
#define RESET_REQUEST 0x05fa0004u

#endif
