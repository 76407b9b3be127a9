/** Reading of single fields: what is written, or a problem that says what to write instead. */
import type { DeclaredBreaker, DeclaredRate, DeclaredRetry, DeclaredSlo } from './declared.ts'
import { attemptsMax, defaultRetryCodes, defaultSlo } from './defaults.ts'
import { parseDuration } from './duration.ts'
import { retryableCodes, type BreakerPolicy, type RatePolicy, type RetryableCode, type Slo } from './policy.ts'

/** Takes down a problem of one field. */
export type Report = (message: string, mend: string) => void

/** Milliseconds, or undefined for an unset or unreadable time. */
export function readTime(name: string, value: string | undefined, report: Report): number | undefined {
  if (value === undefined || value === '') return undefined
  const ms = parseDuration(value)
  if (ms === undefined || ms === 0) {
    const what = ms === 0 ? 'is no time at all' : 'is a time that Linkerd cannot read'
    report(`has ${name} "${value}", which ${what}`, 'write an integer and one of ms, s, m, h, such as "1500ms"')
    return undefined
  }
  return ms
}

/** Attempts and codes; undefined when `attempts: 1` or a problem means that nothing is repeated. */
export function readRetry(
  declared: DeclaredRetry,
  report: Report,
): { attempts: number; codes: RetryableCode[] } | undefined {
  const { attempts, codes } = declared
  if (attempts < 1 || attempts > attemptsMax) {
    report(
      `retries with ${attempts} attempts; every hop multiplies the load of an outage by that`,
      `write 1 to ${attemptsMax} attempts`,
    )
    return undefined
  }
  const names = codes.map((code) => Object.entries(retryableCodes).find(([, number]) => number === code)?.[0])
  if (names.includes(undefined)) {
    const wrong = codes.filter((_, index) => names[index] === undefined)
    report(
      `retries on status ${wrong.join(', ')}, which Linkerd refuses on a route`,
      `use ${Object.keys(retryableCodes).join(', ')}`,
    )
    return undefined
  }
  if (attempts === 1) return undefined
  return { attempts, codes: codes.length > 0 ? (names as RetryableCode[]) : [...defaultRetryCodes] }
}

export function readRate(name: string, declared: DeclaredRate | undefined, report: Report): RatePolicy | undefined {
  if (!declared) return undefined
  const { requestsPerSecond, perIdentity } = declared
  if (requestsPerSecond === 0) {
    report(`has ${name} without requests_per_second`, 'say how many calls one instance accepts over all callers')
    return undefined
  }
  if (perIdentity > requestsPerSecond) {
    report(
      `has ${name} with per_identity ${perIdentity} above requests_per_second ${requestsPerSecond}, which Linkerd refuses and which could never be reached`,
      `lower per_identity to ${requestsPerSecond} or less`,
    )
    return undefined
  }
  return { requestsPerSecond, perIdentity: perIdentity === 0 ? undefined : perIdentity }
}

export function readBreaker(declared: DeclaredBreaker, report: Report): BreakerPolicy | undefined {
  const minPenaltyMs = readTime('min_penalty', declared.minPenalty, report)
  const maxPenaltyMs = readTime('max_penalty', declared.maxPenalty, report)
  const { consecutiveFailures } = declared
  if (consecutiveFailures === 0 || minPenaltyMs === undefined || maxPenaltyMs === undefined) {
    report('has a breaker that is not complete', 'write consecutive_failures, min_penalty and max_penalty')
    return undefined
  }
  if (minPenaltyMs > maxPenaltyMs) {
    report('has a breaker whose min_penalty is above its max_penalty', 'swap them')
    return undefined
  }
  return { consecutiveFailures, minPenaltyMs, maxPenaltyMs }
}

/** The RPC's own numbers, else the service's, else the defaults; each by itself. */
export function readSlo(own: DeclaredSlo | undefined, service: DeclaredSlo | undefined, report: Report): Slo {
  const share = (name: string, value: number, fallback: number): number => {
    if (value > 0 && value < 1) return value
    report(`promises an ${name} of ${value}`, 'write a share between 0 and 1, such as 0.999')
    return fallback
  }
  return {
    availability: share(
      'availability',
      own?.availability || service?.availability || defaultSlo.availability,
      defaultSlo.availability,
    ),
    latencyMs: readTime('slo latency', own?.latency || service?.latency, report) ?? defaultSlo.latencyMs,
    latencyObjective: share(
      'latency_objective',
      own?.latencyObjective || service?.latencyObjective || defaultSlo.latencyObjective,
      defaultSlo.latencyObjective,
    ),
  }
}
