/** What the gateway's tables and chart show. */
import type { Drawing } from '../report/chart.ts'
import type { Results } from '../report/results.ts'
import type { Sheet } from '../report/table.ts'
import { connectionCounts, measures, methods, type MeasureName } from './measures.ts'

const rates: MeasureName[] = methods.flatMap((method) =>
  connectionCounts.map((count) => `${method}${count}Rate` as const),
)
const costs: MeasureName[] = methods.flatMap((method) =>
  connectionCounts.map((count) => `${method}${count}CpuUs` as const),
)
const waits: MeasureName[] = methods.flatMap((method) => [`${method}P50Ms`, `${method}P99Ms`] as const)

/** One of our two contenders beside the others. */
export function sheetOf(ours: string): Sheet {
  return {
    ours,
    measures,
    tables: [
      { title: 'Requests a second on one core: median of the rounds (lowest to highest)', rows: rates, show: 'all' },
      { title: 'CPU of the gateway, µs a request', rows: costs, show: 'all' },
      { title: 'Waiting at half of its own highest rate', rows: waits, show: 'all' },
      { title: `CPU: how many times better ${ours} is, compared round by round`, rows: costs, show: 'ratios' },
      { title: `Waiting: how many times better ${ours} is`, rows: waits, show: 'ratios' },
    ],
  }
}

/** The chart of these results. */
export function drawing({ machine, rounds, time }: Results): Drawing {
  const interleaved = rounds === 1 ? 'round' : 'rounds: median, and lowest to highest'
  return {
    title: 'HTTP/JSON to gRPC: FlowForge and other gateways',
    note: `one core for the gateway (${machine.cpu}), ${rounds} interleaved ${interleaved}; a task of 400 bytes; ${time.slice(0, 10)}`,
    ours: 'flowforge-transcoder',
    measures,
    panels: [
      { title: 'requests a second, more is better', measures: rates },
      { title: 'CPU µs a request, less is better', measures: costs },
      { title: 'milliseconds at half load, less is better', measures: waits },
    ],
    colours: {
      flowforge: '#f08c4a',
      'flowforge-transcoder': '#d9480f',
      fastify: '#475569',
      'grpc-gateway': '#0f766e',
      envoy: '#4f46e5',
    },
  }
}
