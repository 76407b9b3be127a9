import { valuesOf, type Results } from '../report/results.ts'
import { spread, type Spread } from '../report/statistics.ts'

/** load/runtime/README.md: what is measured and how, and the last results. */
export function readme(results: Results): string {
  const { machine, versions, rounds, commit, time } = results
  const list = Object.entries(versions).map(([name, value]) => `${name} ${value}`)
  return `# What the runtime costs

The same unary call, over mutual TLS on a kept connection, client and server in one process, 16 in flight: made by grpc-js
alone, by our transport alone, and as every service of FlowForge makes it. Written by \`npm run load -- runtime\`; do not
edit. The data is in \`load/results/runtime.json\`.

${time}, commit ${commit}, ${rounds} rounds, in which each has its turn; a ratio is within a round.
${machine.cores} cores of ${machine.cpu}, ${machine.memoryGiB} GiB, ${machine.system}. ${list.join(', ')}.

${summary(results)}
The bound is 1.2 for \`enforced\` and 1.4 for \`observed\`, both against grpc-js. The transport earns what it leaves unused: were
the rest added to a grpc-js call instead, the ratio would be the last column's.
`
}

/** The results as a Markdown table. */
export function summary(results: Results): string {
  const cpu = (name: string) => valuesOf(results, name, 'cpuUs').filter((value) => value !== undefined)
  const over = (name: string, base: string) => spread(cpu(name).map((value, round) => value / cpu(base)[round]!))
  const onGrpcJs = (name: string) =>
    spread(cpu(name).map((value, round) => 1 + (value - cpu('transport')[round]!) / cpu('grpc-js')[round]!))
  const rows = results.contenders.map(({ name, settings }) => {
    const rate = spread(valuesOf(results, name, 'callsPerSecond').filter((value) => value !== undefined))
    return [
      `${name}: ${settings}`,
      text(spread(cpu(name)), 0),
      text(over(name, 'grpc-js'), 2),
      text(over(name, 'transport'), 2),
      rate.median.toFixed(0),
      name === 'enforced' || name === 'observed' ? text(onGrpcJs(name), 2) : '',
    ]
  })
  const head = [
    '',
    'CPU µs a call',
    'ratio to grpc-js',
    'ratio to our transport',
    'calls a second',
    'if it were added to grpc-js',
  ]
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |\n`).join('')
}

function text({ min, median, max }: Spread, digits: number): string {
  return `${median.toFixed(digits)} (${min.toFixed(digits)}–${max.toFixed(digits)})`
}
