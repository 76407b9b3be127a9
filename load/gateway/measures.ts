/** What is measured of each gateway. */
import type { Measure } from '../report/results.ts'

export const methods = ['get', 'post'] as const
export type Method = (typeof methods)[number]
export const connectionCounts = [1, 8, 32, 128] as const

export type MeasureName =
  | `${Method}${(typeof connectionCounts)[number]}${'Rate' | 'CpuUs'}`
  | `${Method}${'P50' | 'P99'}Ms`

export const measures = Object.fromEntries(
  methods.flatMap((method) => {
    const name = method.toUpperCase()
    return [
      ...connectionCounts.flatMap((count) => {
        const many = `${name}, ${count} ${count === 1 ? 'connection' : 'connections'}`
        return [
          [`${method}${count}Rate`, { title: many, unit: 'requests/s', better: 'higher' }],
          [`${method}${count}CpuUs`, { title: `CPU a request, ${many}`, unit: 'µs', better: 'lower' }],
        ]
      }),
      ...[50, 99].map((percentile) => [
        `${method}P${percentile}Ms`,
        { title: `${name} at half load, p${percentile}`, unit: 'ms', better: 'lower' },
      ]),
    ]
  }),
) as Record<MeasureName, Measure>
