import { formatDuration } from '../policy/duration.ts'
import type { ComponentPolicy } from '../policy/policy.ts'

/**
 * Annotations of a component's Kubernetes Service: when its callers' proxies stop using an instance that fails.
 *
 * Nobody checks annotations of a Service, a wrong one is dropped without a word; these come from checked values.
 */
export function serviceAnnotations({ breaker }: ComponentPolicy): Record<string, string> {
  const { consecutiveFailures, minPenaltyMs, maxPenaltyMs } = breaker
  const accrual = 'balancer.linkerd.io/failure-accrual'
  return {
    [accrual]: 'consecutive',
    [`${accrual}-consecutive-max-failures`]: String(consecutiveFailures),
    [`${accrual}-consecutive-min-penalty`]: formatDuration(minPenaltyMs),
    [`${accrual}-consecutive-max-penalty`]: formatDuration(maxPenaltyMs),
  }
}
