import { tables } from '../report/table.ts'
import { fullSection, type FullRun } from './full-results.ts'
import type { Results } from './results.ts'
import { sheet } from './sheet.ts'

/** load/engine/README.md: what is measured and how, and the last results. */
export function readme(results: Results, full: FullRun[]): string {
  const { machine, versions, postgresSettings, rounds, scale, commit, time, skipped, failures } = results
  const list = (entries: [string, string][]) => entries.map(([name, value]) => `${name} ${value}`).join(', ')
  return `# Engine benchmark

FlowForge beside other task queues: one machine, one PostgreSQL server, one run. Written by \`npm run load -- engine\`; do
not edit. \`npm run load -- engine --help\` lists its options; the data is in \`load/results/engine.json\`.

![Rates and waiting times of all contenders](../results/engine.svg)

## Last result

${time}, commit ${commit}, ${rounds} ${rounds === 1 ? 'round' : 'rounds'} at scale "${scale}", ${Math.round(results.seconds / 60)} minutes.
${machine.cores} cores of ${machine.cpu}, ${machine.memoryGiB} GiB, ${machine.system}.
Versions: ${list(Object.entries(versions))}.
PostgreSQL: ${Object.entries(postgresSettings)
    .map(([name, value]) => `${name} = ${value}`)
    .join(', ')}.
${skipped.map(({ contender, why }) => `\n${contender} was left out: ${why}.\n`).join('')}${failures
    .map(
      ({ contender, round, scenario, error }) =>
        `\n**${contender} failed in round ${round + 1} at ${scenario}: ${error.split('\n')[0]}**\n`,
    )
    .join('')}
${tables(results, sheet)}

${fullSection(full)}
## Contenders

| name | settings |
| --- | --- |
${results.contenders.map(({ name, settings }) => `| ${name} | ${settings} |`).join('\n')}

## How it is measured

- Contenders have their turns one after the other, round by round, so that whatever else the machine does hits all alike.
  In each turn: a fresh database on the same server (\`fsync\` and \`synchronous_commit\` on), or a Redis of its own; a
  checkpoint first; a producer process and a worker process, and for FlowForge its tasks service. They warm up by five seconds
  of produce + consume, and then as long by bulk enqueue and drain of 10,000 tasks at a time.
- A task carries a number, a time and 100 bytes of text; its handler does nothing.
- *Single enqueue*: 10 or 100 callers in one process, one task a call, each answered once it is durable.
- *Bulk enqueue*: 1,000 tasks a call, four calls at a time.
- *Drain*: from the start of the first handler until the store says that nothing is unfinished. PostgreSQL's
  planner has statistics (\`analyze\`), as it has after a minute of running. When the time is over
  before that, what was finished until then counts.
- *Produce + consume*: 10 callers create while the worker runs; until the store says that nothing is unfinished.
- *Enqueue to start*: 100 tasks a second, from just before the create call until the handler starts.
- *CPU a task*: of the contender's processes, its server or service, and PostgreSQL's or Redis'.
- *Writing transactions*: transaction numbers used, so commits that only read are not counted.
- *Keys*: the same bulk enqueue and drain without keys, with 1,000 fairness keys, and with 1,000 concurrency keys of which
  each may run 10 tasks at a time; each kind in a queue of its own. 10,000 tasks, so 10 a key (50,000 at full size: then 40
  a key wait for a slot). After a pass of each to warm up, three of each by turns, with another kind first each time; a rate is
  all tasks by all time, enqueue and drain together, and each share is of the rate without keys in the same round.
- After each scenario the store and what the handlers saw are compared: a task that is missing, or that ran twice, fails
  the turn. FlowForge's producers and workers also keep every acknowledgement and lease they were given, and the checker of
  \`services/tasks/proof/history\` compares those with the database.
- *Two instances and two workers are replaced*: one after the other, while tasks come in at random moments, 100 a second.
- Ratios are taken within a round. Differences under 20 % mean nothing here.
`
}
