import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'

/** How long something took, as people ask for it; milliseconds. */
export interface Latencies {
  p50: number
  p90: number
  p95: number
  p99: number
  max: number
}

/** Collects durations in bounded memory, to three significant digits. */
export class LatencyRecorder {
  readonly #histogram: RecordableHistogram = createHistogram({ figures: 3 })

  record(ms: number): void {
    this.#histogram.record(Math.max(1, Math.round(ms * 1_000)))
  }

  get count(): number {
    return this.#histogram.count
  }

  read(): Latencies {
    const at = (percentile: number) => Number((this.#histogram.percentile(percentile) / 1_000).toFixed(2))
    return { p50: at(50), p90: at(90), p95: at(95), p99: at(99), max: Number((this.#histogram.max / 1_000).toFixed(2)) }
  }
}
