import { Histogram, registry } from '@flowforge/runtime/metrics'
import type { AttemptEnd } from '@flowforge/sdk'

const processing = new Histogram({
  name: 'task_processing_duration_seconds',
  help: 'Time from the start of an attempt to its end, by task type and outcome.',
  labelNames: ['type', 'outcome'],
  buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300],
  registers: [registry],
})

/** Counts an attempt that ended. Types are those with a handler, so the labels are bounded. */
export function observeAttempt({ type, end, ms }: { type: string; end: AttemptEnd; ms: number }): void {
  processing.observe({ type, outcome: end.replace(' ', '_') }, ms / 1_000)
}
