const unitMs: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }

/**
 * Milliseconds of a length of time such as `250ms`, `10s`, `5m` or `1h`; undefined for anything else.
 *
 * This is what Linkerd reads, too: an integer and a unit, so neither `1.5s` nor a bare `5`.
 */
export function parseDuration(value: string): number | undefined {
  const match = /^(\d{1,9})(ms|s|m|h)$/.exec(value)
  return match ? Number(match[1]) * unitMs[match[2]!]! : undefined
}

/** The shortest text that `parseDuration` reads back as `ms`: 90000 → `90s`. */
export function formatDuration(ms: number): string {
  for (const unit of ['h', 'm', 's']) if (ms > 0 && ms % unitMs[unit]! === 0) return `${ms / unitMs[unit]!}${unit}`
  return `${ms}ms`
}
