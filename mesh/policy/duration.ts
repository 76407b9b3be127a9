const unitMs: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }

/** Milliseconds of a length of time such as `250ms`, `10s`, `5m` or `1h`; undefined for anything else. */
export function parseDuration(value: string): number | undefined {
  const match = /^(\d{1,9})(ms|s|m|h)$/.exec(value)
  return match ? Number(match[1]) * unitMs[match[2]!]! : undefined
}
