// A maintenance window: hours of the day, on some weekdays, in a time zone. Outside of it no device is notified.

import { defined, elementAt } from '../base/checked.js';

export const weekdays = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
/** Days of the week. */
export type Weekday = (typeof weekdays)[number];

/** The time of the week in which devices are notified. */
export interface MaintenanceWindow {
  /** Minutes of the day. A window that ends before it begins continues past midnight. */
  readonly from: number;
  readonly to: number;
  /** Weekdays on which the window begins. */
  readonly days: readonly Weekday[];
  /** IANA name, such as Europe/Berlin. */
  readonly zone: string;
}

const minutesOfDay = 24 * 60;

/** @param at milliseconds since 1970 */
export function isOpen({ from, to, days, zone }: MaintenanceWindow, at: number): boolean {
  const { day, minute } = localTime(at, zone);
  const began = (weekday: number): boolean => days.includes(elementAt(weekdays, (weekday + 7) % 7));
  if (from < to) return minute >= from && minute < to && began(day);
  return (minute >= from && began(day)) || (minute < to && began(day - 1));
}

/** When the window opens next, in milliseconds since 1970; `at` itself if it is open. */
export function opensAt(window: MaintenanceWindow, at: number): number {
  const minuteMs = 60_000;
  // A week and a day ahead covers every change of the clocks.
  for (let step = 0; step <= 8 * minutesOfDay; step++) {
    const then = step === 0 ? at : Math.floor(at / minuteMs + step) * minuteMs;
    if (isOpen(window, then)) return then;
  }
  return Infinity;
}

/** Whether the platform knows this time zone. */
export function isTimeZone(zone: string): boolean {
  try {
    formatOf(zone);
    return true;
  } catch {
    return false;
  }
}

const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(zone: string): Intl.DateTimeFormat {
  let format = formats.get(zone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      weekday: 'short',
      hour: 'numeric',
      minute: 'numeric',
      hourCycle: 'h23',
    });
    formats.set(zone, format);
  }
  return format;
}

function localTime(at: number, zone: string): { day: number; minute: number } {
  const parts = Object.fromEntries(
    formatOf(zone)
      .formatToParts(at)
      .map(({ type, value }) => [type, value]),
  );
  const day = weekdays.indexOf(defined(parts.weekday?.toLowerCase()) as Weekday);
  return { day, minute: 60 * Number(parts.hour) + Number(parts.minute) };
}
