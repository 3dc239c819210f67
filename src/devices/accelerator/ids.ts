/** USB ids of an accelerator, without and with firmware (libedgetpu, driver/beagle/beagle_usb_driver_provider.cc). */
export const acceleratorIds = {
  waiting: { vendor: 0x1a6e, product: 0x089a },
  running: { vendor: 0x18d1, product: 0x9302 },
} as const;
