import { equal, match } from 'node:assert/strict'
import { test } from 'node:test'
import type { Measured } from './measure.ts'
import { sparkline, summary } from './summary.ts'

const measured: Measured = {
  name: 'users-100',
  offered: 200,
  perSecond: 99,
  errorShare: 0.005,
  latencies: { p50: 1, p90: 2, p95: 3, p99: 4, max: 5 },
  usage: [{ name: 'gateway', cores: 0.25, memoryMiB: 190 }],
  backlogMax: 70,
  drainMs: 1_200,
  seconds: [0, 70, 35].map((backlog, second) => ({ second, offered: 100, answered: 100, errors: 0, backlog })),
}

test('what is printed has rates, errors, all percentiles, each process and the backlog over time', () => {
  equal(
    summary(measured),
    `users-100: 99/s, 0.50 % errors, p50 1.00 p90 2.00 p95 3.00 p99 4.00 ms
  gateway 0.25 cores 190 MiB
  waiting ▁█▅ at most 70, none 1.2 s after the last request`,
  )
})

test('a long run is as wide as a terminal, and its highest moment is not lost', () => {
  const line = sparkline(Array.from({ length: 300 }, (_, second) => (second === 151 ? 9_000 : 1)))
  match(line, /^▁{30}█▁{29}$/)
})
