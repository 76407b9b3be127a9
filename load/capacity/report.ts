/** docs/capacity.md, from what was measured and the model. */
import { short } from '../report/numbers.ts'
import { components, coresOf, memoryOf, needOf, type Modelled, type Model } from './model.ts'
import type { CapacityPoint, CapacityResults } from './results.ts'

const sizes: [name: string, tasksPerSecond: number][] = [
  ['small', 10],
  ['medium', 100],
  ['large', 1_000],
  ['10×', 10_000],
]

/** What a core and a month cost where nothing better is known: the list price of common virtual machines. */
const pricePerCoreMonth = 25
/** Planned for PostgreSQL, whose memory is what it is given; the other components' is measured. */
const postgresMiB = 2_048

/** The whole document. */
export function capacityReport({ machine, time, commit, points }: CapacityResults, model: Model): string {
  return `# Capacity

What N tasks a second need, from what was measured. Written by \`npm run load -- capacity\` from
\`load/results/capacity.json\`; do not edit. A task here is created by one HTTP call with 400 bytes of payload, stored, leased and finished by a worker whose
handler does nothing. Bulk creation is far cheaper (\`load/engine/README.md\`); what handlers themselves need comes on top.

## Measured

One instance of each component and two workers, 200 callers, on ${machine.cores} cores of ${machine.cpu} that carry the load too.
${time.slice(0, 16).replace('T', ' ')} UTC, commit ${commit}.

| tasks/s | p95 ms | errors | ${components.map((name) => `${name}, cores`).join(' | ')} | connections of tasks at work at once |
| --- | --- | --- | ${components.map(() => '---').join(' | ')} | --- |
${points.map(pointRow).join('\n')}

## Model

Each component's processor time is a line over the rate, fitted to these points. R² near 1 means that the line explains what was measured; near 0 that other
things on the machine weighed more. Beyond the highest measured rate the need is taken to grow with the rate, and
PostgreSQL's disk may become the limit first.

| component | idle, cores | CPU a task, µs | R² |
| --- | --- | --- | --- |
${components.map((name) => `| ${name} | ${model[name].idle.toFixed(3)} | ${Math.round(model[name].perTask * 1e6)} | ${model[name].fit.toFixed(2)} |`).join('\n')}

## Sizes

An instance of ours is one thread and is planned to be busy 60 % of the time, so that answers do not queue; two at least, so
that one may go. PostgreSQL is one primary with as many cores as it says.

| size | tasks/s | ${components.map((name) => `${name}: cores (instances)`).join(' | ')} | cores in all |
| --- | --- | ${components.map(() => '---').join(' | ')} | --- |
${sizes.map(([name, rate]) => sizeRow(model, name, rate)).join('\n')}

## Connections and pools

A tasks instance opens at most 10 connections for statements and 1 that listens; a statement carries all that arrived
meanwhile, so ${Math.max(...points.map(({ connectionsBusy }) => connectionsBusy))} were at work at once at most, and more of them would make batches smaller, not the service faster. \`accounts\` and \`notifications\` open at most 10 each. The
sum must stay below the role's limit (\`connection limit\`, 40 by default) and PostgreSQL's \`max_connections\`; from the large
size on put a pooler in transaction mode between, for all but the listening connection.

| size | tasks instances | connections of tasks | in all, with 2 accounts and 2 notifications |
| --- | --- | --- | --- |
${sizes.map(([name, rate]) => connectionRow(model, name, rate)).join('\n')}

## Cost

An assumption to be replaced by your own: ${pricePerCoreMonth} € for a core and its share of memory a month. Memory is what an instance was seen to
have at most, rounded up, and 2 GiB for PostgreSQL.

| size | cores asked for | memory, GiB | € a month | € for a million tasks |
| --- | --- | --- | --- | --- |
${sizes.map(([name, rate]) => costRow(model, points, name, rate)).join('\n')}
`
}

function pointRow(point: CapacityPoint): string {
  const { perSecond, p95Ms, errorShare, connectionsBusy } = point
  const cores = components.map((name) => coresOf(point, name).toFixed(2)).join(' | ')
  return `| ${perSecond} | ${short(p95Ms)} | ${(errorShare * 100).toFixed(2)} % | ${cores} | ${connectionsBusy} |`
}

function sizeRow(model: Model, name: string, rate: number): string {
  const needs = components.map((component) => needOf(model, component, rate))
  const all = needs.reduce((sum, { cores }) => sum + cores, 0)
  return `| ${name} | ${rate} | ${needs.map(({ cores, instances }) => `${cores.toFixed(2)} (${instances})`).join(' | ')} | ${all.toFixed(1)} |`
}

function connectionRow(model: Model, name: string, rate: number): string {
  const { instances, connections } = needOf(model, 'tasks', rate)
  return `| ${name} | ${instances} | ${connections} | ${connections + 40} |`
}

function costRow(model: Model, points: CapacityPoint[], name: string, rate: number): string {
  const memoryMiBOf = (component: Modelled) =>
    component === 'postgres' ? postgresMiB : Math.ceil(memoryOf(points, component) / 64) * 64
  const needs = components.map((component) => ({ component, ...needOf(model, component, rate) }))
  // What is asked for: an instance has half a core at least, and as much as it needs at its planned business.
  const cores = needs.reduce((sum, one) => sum + Math.max(one.instances * 0.5, one.cores / 0.6), 0)
  const memory = needs.reduce((sum, { component, instances }) => sum + instances * memoryMiBOf(component), 0) / 1_024
  const price = Math.round(cores * pricePerCoreMonth)
  const million = price / ((rate * 86_400 * 30) / 1e6)
  return `| ${name} | ${cores.toFixed(1)} | ${memory.toFixed(1)} | ${price} | ${million.toFixed(2)} |`
}
