/** A caller's queue settings, checked and brought into the engine's form. */
import type { Queue } from '@flowforge/proto/opaque/flowforge/tasks/v1/queue_service.ts'
import type { QueueChange } from '../engine/queues.ts'
import { checkMask, isMasked } from './field-mask.ts'
import { idDescription, isId } from './names.ts'
import { Violations } from './violations.ts'

const hourMs = 3_600_000
const updatable = [
  'retention',
  'concurrency',
  'concurrency_per_key',
  'rate_per_second',
  'rate_burst',
  'fairness_weights',
  'ageing',
]

/** Throws INVALID_ARGUMENT with every violation. What the mask does not name, or what is unset without one, stays as it is. */
export function checkQueue(queue: Queue, mask: string[] | undefined): QueueChange {
  checkMask(mask, updatable)
  const violations = new Violations()
  const has = (path: string, isSet: boolean): boolean => isMasked(mask, path, isSet)
  violations.check(isId(queue.name.split('/')[3] ?? ''), 'queue.name', idDescription)
  const retentionMs = violations.duration('queue.retention', queue.retention, hourMs, 400 * 24 * hourMs)
  const ageingMs = violations.duration('queue.ageing', queue.ageing, 1000, 7 * 24 * hourMs)
  between(violations, 'concurrency', queue.concurrency, 0, 1_000_000)
  between(violations, 'concurrency_per_key', queue.concurrencyPerKey, 0, 1_000_000)
  between(violations, 'rate_burst', queue.rateBurst, 0, 100_000)
  const rate = queue.ratePerSecond
  violations.check(
    rate === 0 || (rate >= 0.001 && rate <= 1e6),
    'queue.rate_per_second',
    'must be 0 or between 0.001 and 1000000',
  )
  const weights = Object.entries(queue.fairnessWeights)
  violations.check(weights.length <= 1000, 'queue.fairness_weights', 'has more than 1000 keys')
  for (const [key, weight] of weights.slice(0, 1000))
    violations.check(
      weight >= 0.01 && weight <= 100,
      `queue.fairness_weights.${key.slice(0, 64)}`,
      'must be between 0.01 and 100',
    )
  violations.throwIfAny()
  return {
    retentionS: has('retention', retentionMs !== null) ? (retentionMs ?? 14 * 24 * hourMs) / 1000 : undefined,
    concurrency: has('concurrency', queue.concurrency !== 0) ? queue.concurrency || null : undefined,
    concurrencyPerKey: has('concurrency_per_key', queue.concurrencyPerKey !== 0)
      ? queue.concurrencyPerKey || 1
      : undefined,
    ratePerS: has('rate_per_second', rate !== 0) ? rate || null : undefined,
    rateBurst: has('rate_burst', queue.rateBurst !== 0) ? queue.rateBurst || null : undefined,
    fairnessWeights: has('fairness_weights', weights.length > 0) ? queue.fairnessWeights : undefined,
    ageingS: has('ageing', ageingMs !== null) ? ageingMs && ageingMs / 1000 : undefined,
  }
}

function between(violations: Violations, path: string, value: number, min: number, max: number): void {
  violations.check(value >= min && value <= max, `queue.${path}`, `must be between ${min} and ${max}`)
}
