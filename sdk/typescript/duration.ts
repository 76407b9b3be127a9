import type { Duration } from '@flowforge/proto/google/protobuf/duration.ts'

/** Milliseconds, rounded to whole ones, as google.protobuf.Duration. */
export function fromMs(ms: number): Duration {
  const whole = Math.round(ms)
  return { seconds: BigInt(Math.trunc(whole / 1_000)), nanos: (whole % 1_000) * 1_000_000 }
}

/** A google.protobuf.Duration in milliseconds. */
export function toMs(duration: Duration): number {
  return Number(duration.seconds) * 1_000 + duration.nanos / 1_000_000
}
