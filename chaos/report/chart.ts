import { lineChart } from '@flowforge/load/report/lines'
import type { Experiment } from '../experiment.ts'
import type { Bucket } from '../observe/series.ts'
import type { Result } from '../results.ts'

/** The course of a run: what was asked and answered, how fast, and what waited. */
export function chart({ title }: Experiment, { series, fault, verdict, time }: Result): string {
  const line = (name: string, colour: string, y: (bucket: Bucket) => number | undefined) => ({
    name,
    colour,
    points: series.map((bucket) => ({ x: bucket.atMs / 1_000, y: y(bucket) })),
  })
  const perSecond = (count: (bucket: Bucket) => number) => (bucket: Bucket) => (count(bucket) * 1_000) / bucket.widthMs
  return lineChart({
    title,
    subtitle: `${verdict}; ${time.slice(0, 10)}`,
    xTitle: 'seconds',
    band: { from: fault.fromMs / 1_000, until: fault.untilMs / 1_000, name: 'fault' },
    panels: [
      {
        title: 'per second: ',
        lines: [
          line(
            'created',
            '#0f766e',
            perSecond(({ tries, errors }) => tries - errors),
          ),
          line(
            'refused',
            '#b91c1c',
            perSecond(({ errors }) => errors),
          ),
          line(
            'finished',
            '#4f46e5',
            perSecond(({ finished }) => finished),
          ),
        ],
      },
      { title: 'creation, ms: ', lines: [line('p95', '#d9480f', ({ p95Ms }) => p95Ms)] },
      { title: 'tasks: ', lines: [line('waiting or running', '#475569', ({ backlog }) => backlog)] },
    ],
  })
}
