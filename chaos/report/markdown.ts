/** docs/reports/chaos.md: what was predicted, what happened, why, and what was made better. */
import type { Experiment } from '../experiment.ts'
import { steadyState } from '../observe/steady-state.ts'
import type { Figures, Result } from '../results.ts'

/** An experiment with its last result, if it has one. */
export interface Reported {
  experiment: Experiment
  result: Result | undefined
  /** The run that led to an improvement. */
  before: Result | undefined
  /** The last run on a release in a cluster. */
  cluster: Result | undefined
}

export function markdown(all: Reported[]): string {
  const run = all.flatMap(({ result }) => result ?? [])
  const machine = run[0]?.machine
  return `# Chaos experiments

Each experiment states what must stay true, does something terrible to a running system, and lets a checker decide. Written
by \`npm run chaos -- report\` from the last runs in \`chaos/results/\`; do not edit. How to run one yourself, also against
staging: [game day](../game-day.md).

Whatever is done, a run *holds* only if the history checker finds that nothing that was acknowledged is lost and nothing
finished twice, no concurrency limit was exceeded at any look, the small tenant waited no longer than the large one, and
its bounds were kept. In a cluster, where pods that are killed take the workers' histories with them, the producer's alone is
compared with the database. Load comes at random moments whether earlier calls were answered or not; an error is a first try
that was not answered with 200; one whose connection was closed without an answer is sent once more at once, as clients do
under a request ID. There is no experiment with replication lag, since nothing reads from a replica. Steady state: no error, 95 of 100 creations within ${steadyState.p95MsMax} ms, no more than
${steadyState.backlogSecondsMax} s of work waiting.
${machine ? `\nMachine: ${machine.cores} cores of ${machine.cpu}, ${machine.memoryGiB} GiB, ${machine.system}; everything, the load included, on it.\n` : ''}
| experiment | verdict | errors in all | during | noticed | recovered | bound | attempts lost | in a cluster |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
${all.map(row).join('\n')}

${all.map(section).join('\n')}`
}

function row({ experiment, result, cluster }: Reported): string {
  const { name, bounds } = experiment
  const figures = result?.figures
  const cells = figures
    ? [
        percent(figures.errorShare),
        percent(figures.errorShareDuring),
        seconds(figures.detectMs),
        seconds(figures.recoverMs),
        seconds(bounds.recoverMsMax),
        String(figures.lostAttempts),
      ]
    : ['', '', '', '', seconds(bounds.recoverMsMax), '']
  return `| [${name}](#${name}) | ${result?.verdict ?? 'not run yet'} | ${cells.join(' | ')} | ${cluster?.verdict ?? ''} |`
}

function section({ experiment, result, before, cluster }: Reported): string {
  const { name, title, hypothesis, explanation, improvement, fault, bounds } = experiment
  return `## ${name}

${title}.

**Predicted.** ${hypothesis} Bounds: ${boundsInWords(bounds)}.

**Done.** \`${JSON.stringify(fault)}\`

${observed(result)}
${cluster ? `\n${inCluster(cluster)}\n` : ''}
**Why.** ${explanation}

**Made better.** ${improvement ?? 'Nothing: it held as it was.'}
${before ? earlier(before) : ''}`
}

function inCluster({ verdict, why, figures, time, commit }: Result): string {
  const reasons = why.map((line) => `\n\n- ${line}`).join('')
  return `**In a cluster.** ${verdict}. ${figures ? inWords(figures) : ''} ${time.slice(0, 16).replace('T', ' ')} UTC, commit ${commit}.${reasons}`
}

function earlier({ name, verdict, why, figures }: Result): string {
  return `
**Before that.** ${verdict}. ${figures ? inWords(figures) : ''}

${why.map((line) => `- ${line}`).join('\n')}

![${name}, before](chaos/${name}-before.svg)
`
}

function observed(result: Result | undefined): string {
  if (!result) return '**Observed.** Not run yet.'
  const { figures, why, verdict, name, time, commit, seconds: took } = result
  const reasons = why.length > 0 ? `\n\n${why.map((line) => `- ${line}`).join('\n')}` : ''
  if (!figures) return `**Observed.** ${verdict}.${reasons}`
  return `**Observed.** ${verdict}. ${inWords(figures)}${reasons}

![${name}](chaos/${name}.svg)

${time.slice(0, 16).replace('T', ' ')} UTC, commit ${commit}, ${took} s; data: \`chaos/results/${name}.json\`.`
}

function inWords(figures: Figures): string {
  const { tries, errors, resent, statuses, tasks, lostAttempts, refusedOutcomes, limitChecks, dead } = figures
  const kinds = Object.entries(statuses).map(([status, count]) => `${count} ${status}`)
  return [
    `${tries} tries, ${errors} refused${kinds.length > 0 ? ` (${kinds.join(', ')})` : ''}${resent > 0 ? `, ${resent} sent again at once` : ''}; ${tasks} tasks, each finished once.`,
    figures.detectMs === undefined ? '' : `Noticed after ${seconds(figures.detectMs)} (${figures.detectedBy}).`,
    figures.recoverMs === undefined ? 'Not recovered.' : `Steady again ${seconds(figures.recoverMs)} after the fault.`,
    `Creations, p95: ${figures.p95BeforeMs} ms before, ${figures.p95DuringMs} ms during${p99(figures)}, ${figures.p95AfterMs} ms after.`,
    `${lostAttempts} attempts were lost and repeated, ${refusedOutcomes} late outcomes refused${dead > 0 ? `, ${dead} tasks ended as dead` : ''}; limits looked at ${limitChecks} times.`,
    figures.amplification === undefined
      ? ''
      : `${figures.amplification} calls reached the upstream for each of a client.`,
    figures.staleReads === undefined ? '' : `${figures.staleReads} reads were older than the reader’s own write.`,
    figures.admitted === undefined ? '' : `${figures.admitted} requests of a principal beyond its limit were served.`,
    figures.audited === undefined ? '' : `${figures.audited} calls against policy were served and counted.`,
  ]
    .filter(Boolean)
    .join(' ')
}

function p99({ p99DuringMs }: Figures): string {
  return p99DuringMs > 0 ? ` (99 of 100: ${p99DuringMs} ms)` : ''
}

function boundsInWords({
  errorShareMax,
  p99DuringMsMax,
  recoverMsMax,
  detectMsMax,
  lostAttemptsMax,
  amplificationMax,
  disconnectedShareMin,
  admittedMax,
  auditedMin,
  dead,
}: Experiment['bounds']): string {
  return [
    `errors at most ${percent(errorShareMax)}`,
    ...(p99DuringMsMax === undefined ? [] : [`99 of 100 creations within ${p99DuringMsMax} ms meanwhile`]),
    `steady again within ${seconds(recoverMsMax)}`,
    ...(detectMsMax === undefined ? [] : [`noticed within ${seconds(detectMsMax)}`]),
    ...(lostAttemptsMax === undefined ? [] : [`at most ${lostAttemptsMax} attempts lost`]),
    ...(amplificationMax === undefined ? [] : [`at most ${amplificationMax} calls upstream for each of a client`]),
    ...(disconnectedShareMin === undefined
      ? []
      : [`at least ${percent(disconnectedShareMin)} of the slow connections closed`]),
    ...(admittedMax === undefined ? [] : [`at most ${admittedMax} requests served to a principal beyond its limit`]),
    ...(auditedMin === undefined ? [] : [`at least ${auditedMin} calls against policy counted`]),
    ...(dead === undefined ? [] : [`exactly ${dead} dead`]),
  ].join(', ')
}

function seconds(ms: number | undefined): string {
  return ms === undefined ? '–' : `${(ms / 1_000).toFixed(1)} s`
}

function percent(share: number): string {
  return `${(share * 100).toFixed(share > 0 && share < 0.001 ? 3 : 1)} %`
}
