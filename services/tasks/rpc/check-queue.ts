/** A caller's queue settings, checked and brought into the engine's form. */
import type { Queue } from '@flowforge/proto/opaque/flowforge/tasks/v1/queue_service.ts'
import { fieldsToChange } from '@flowforge/runtime/update-mask'
import type { QueueChange } from '../engine/queues.ts'
import { idDescription, isId } from './names.ts'
import { Violations } from './violations.ts'

const hourMs = 3_600_000

/** Throws INVALID_ARGUMENT with every violation. What the mask does not name, or what is unset without one, stays as it is. */
export function checkQueue(queue: Queue, mask: string[] | undefined): QueueChange {
  const changed = fieldsToChange(mask, {
    retention: queue.retention !== undefined,
    concurrency: queue.concurrency !== 0,
    concurrency_per_key: queue.concurrencyPerKey !== 0,
    rate_per_second: queue.ratePerSecond !== 0,
    rate_burst: queue.rateBurst !== 0,
    fairness_weights: Object.keys(queue.fairnessWeights).length > 0,
    ageing: queue.ageing !== undefined,
  })
  const violations = new Violations()
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
    retentionS: changed.has('retention') ? (retentionMs ?? 14 * 24 * hourMs) / 1000 : undefined,
    concurrency: changed.has('concurrency') ? queue.concurrency || null : undefined,
    concurrencyPerKey: changed.has('concurrency_per_key') ? queue.concurrencyPerKey || 1 : undefined,
    ratePerS: changed.has('rate_per_second') ? rate || null : undefined,
    rateBurst: changed.has('rate_burst') ? queue.rateBurst || null : undefined,
    fairnessWeights: changed.has('fairness_weights') ? queue.fairnessWeights : undefined,
    ageingS: changed.has('ageing') ? ageingMs && ageingMs / 1000 : undefined,
  }
}

function between(violations: Violations, path: string, value: number, min: number, max: number): void {
  violations.check(value >= min && value <= max, `queue.${path}`, `must be between ${min} and ${max}`)
}
