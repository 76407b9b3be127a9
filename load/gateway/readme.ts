import type { Results } from '../report/results.ts'
import { tables } from '../report/table.ts'
import { sheetOf } from './sheet.ts'

/** load/gateway/README.md: what is measured and how, and the last results. */
export function readme(results: Results): string {
  const { machine, versions, rounds, commit, time, skipped, failures } = results
  const list = Object.entries(versions).map(([name, value]) => `${name} ${value}`)
  return `# Gateway benchmark

FlowForge's gateway beside others that turn HTTP/JSON into gRPC: one core each, one run. Written by
\`npm run load -- gateway\`; do not edit. \`npm run load -- gateway --help\` lists its options; the data is in
\`load/results/gateway.json\`.

![Rates, costs and waiting times of all gateways](../results/gateway.svg)

## Last result

${time}, commit ${commit}, ${rounds} ${rounds === 1 ? 'round' : 'rounds'}, ${Math.round(results.seconds / 60)} minutes.
${machine.cores} cores of ${machine.cpu}, ${machine.memoryGiB} GiB, ${machine.system}.
Versions: ${list.join(', ')}.
${skipped.map(({ contender, why }) => `\n${contender} was left out: ${why}.\n`).join('')}${failures
    .map(({ contender, round, error }) => `\n**${contender} failed in round ${round + 1}: ${error.split('\n')[0]}**\n`)
    .join('')}
${tables(results, sheetOf('flowforge-transcoder'))}

## Contenders

| name | settings |
| --- | --- |
${results.contenders.map(({ name, settings }) => `| ${name} | ${settings} |`).join('\n')}

Only \`flowforge\` checks an API key, roles and limits; the peers would need more around them for that. What compares like
with like is \`flowforge-transcoder\`.

## How it is measured

- Gateways have their turns one after the other, round by round. In its turn a gateway has the first core to itself; the
  services behind it, which answer at once with bytes that they were given, and the load have the second. Everything is
  plaintext on loopback.
- \`GET\` reads a task by name, \`POST\` creates one; both answer with a task of 400 bytes that holds a \`Struct\` and two
  timestamps. Before it is measured a gateway must answer both rightly.
- *Requests a second*: as fast as it answers, with 1 to 128 connections. The second core can be the bound of the fastest,
  so the steadier figure is the CPU that the gateway's processes used for a request.
- *Waiting*: at half of the gateway's own highest rate, over 32 connections, from the instant at which a request was due.
  A faster gateway is asked more, so the services and the load, which share a core, are busier with it. Each gateway is asked
  at that rate for 3 s before waits count, and then four times as long as without a rate, so that a collection of its whole
  heap weighs what it weighs in the long run. The load does without TurboFan, which would stop it and the services for 10 ms
  (docs/decisions/0019).
- Ratios are taken within a round. Differences under 20 % mean nothing here.
`
}
