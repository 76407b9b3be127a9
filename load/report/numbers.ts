/** A number for people: three significant digits, thousands as k. */
export function short(value: number): string {
  if (value >= 9_995) return `${trimmed(value / 1000)} k`
  if (value >= 1_000) return String(Math.round(value / 10) * 10)
  return trimmed(value)
}

function trimmed(value: number): string {
  if (value >= 100) return String(Math.round(value))
  if (value >= 10) return value.toFixed(1)
  return value.toFixed(2)
}
