import type { Figures, Percentiles } from './measure.ts'
import { acceptedTwice, type Claim, type Evidence } from './prove.ts'

const violationsShown = 5

/** The run in words, for people. */
export function report(figures: Figures, claims: Claim[], evidence: Evidence): string {
  const {
    submitted,
    delivered,
    retried,
    dead,
    createMs,
    createToDeliveredMs,
    seconds,
    deliveredPerSecond,
    payloadBytes,
  } = figures
  const lines = [
    '',
    `delivered ${delivered} of ${submitted}, ${retried} of them after a retry, ${dead} dead; ${(payloadBytes / 1e6).toFixed(1)} MB of payloads`,
    `create              ${show(createMs)}`,
    `create → delivered  ${show(createToDeliveredMs)}  (failures and slow answers of the receiver included)`,
    `throughput          ${deliveredPerSecond} tasks/s over ${seconds} s, created one by one by 16 callers`,
    ...recoveryLines(figures, evidence),
    '',
  ]
  for (const { claim, violations } of claims) {
    lines.push(`${violations.length === 0 ? '✔' : '✘'} ${claim}`)
    lines.push(...violations.slice(0, violationsShown).map((violation) => `    ${violation}`))
    if (violations.length > violationsShown) lines.push(`    … and ${violations.length - violationsShown} more`)
  }
  return lines.join('\n')
}

function recoveryLines({ recovery }: Figures, evidence: Evidence): string[] {
  if (!recovery) return []
  const { interrupted, firstMs, lastMs } = recovery
  const lines = [`killed worker       ${interrupted} tasks interrupted, running again after ${firstMs} to ${lastMs} ms`]
  const twice = acceptedTwice(evidence)
  if (twice.length > 0) {
    lines.push(
      `                    ${twice.length} were delivered twice, because the worker died before it could report:`,
    )
    lines.push(...twice.map(({ name }) => `                    ${name}`))
  }
  return lines
}

function show({ p50, p99, max }: Percentiles): string {
  return `p50 ${p50} ms, p99 ${p99} ms, max ${max} ms`
}
