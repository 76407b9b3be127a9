/** `grpc-timeout`: up to eight digits and a unit. */
const unitMs: Record<string, number> = { n: 1e-6, u: 1e-3, m: 1, S: 1_000, M: 60_000, H: 3_600_000 }

/** Milliseconds; Infinity if there is none or it is not valid. */
export function parseTimeout(value: string | undefined): number {
  const match = value === undefined ? undefined : /^(\d{1,8})([numSMH])$/.exec(value)
  return match ? Number(match[1]) * unitMs[match[2]!]! : Infinity
}

/** The header for at least so many milliseconds. */
export function formatTimeout(ms: number): string {
  const whole = Math.max(1, Math.ceil(ms))
  return whole < 1e8 ? `${whole}m` : `${Math.min(99_999_999, Math.ceil(whole / 1_000))}S`
}
