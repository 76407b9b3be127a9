/** What the model test was told by the engine, to be compared with what the database saw. */
import { leaseId } from '../../engine/fence.ts'
import { Outcome } from '../../engine/states.ts'
import type { Told, ToldOutcome } from '../history/events.ts'
import { isLegal, type Change } from './audit.ts'

/** A lease, as the engine names it. */
interface Lease {
  id: string
  attempt: number
  sessionId: bigint | string
}

/** The project of every run. */
export const project = 'model'

/** The answers of one run. */
export class Answers {
  readonly created = new Set<string>()
  readonly deleted: string[] = []
  readonly leased = new Map<string, Lease>()
  /** Leases whose end was answered, with the words for it and the round in which they were. */
  readonly ended = new Map<string, { word: string; round: number }[]>()
  readonly refused: { lease: string; round: number }[] = []
  /** The same as clients would write it down; what a sweep ended, no client was told. */
  readonly history: Told[] = []
  round = 0

  create(id: string): void {
    this.created.add(id)
    this.history.push({ kind: 'created', task: taskName(id) })
  }

  delete(id: string): void {
    this.deleted.push(id)
    this.history.push({ kind: 'deleted', task: taskName(id), verdict: 'accepted' })
  }

  /** A client reported an outcome, and was answered. */
  report(lease: Lease, outcome: ToldOutcome, verdict: 'accepted' | 'accepted before' | 'refused'): void {
    const isRefused = verdict === 'refused'
    this.history.push({ kind: 'outcome', ...written(lease), outcome, verdict: isRefused ? 'refused' : 'accepted' })
    if (verdict === 'accepted') this.end(lease, outcome)
    else this.refused.push({ lease: leaseId(lease), round: this.round })
  }

  end(lease: Lease, word: string): void {
    const key = leaseId(lease)
    this.ended.set(key, [...(this.ended.get(key) ?? []), { word, round: this.round }])
  }

  lease(lease: Lease): void {
    const key = leaseId(lease)
    if (this.leased.has(key)) throw new Error(`the lease ${key} was given twice`)
    this.leased.set(key, lease)
    this.history.push({ kind: 'leased', ...written(lease) })
  }
}

/** Where answers and changes contradict each other, or a change the protocol. */
export function* contradictions(answers: Answers, changes: Change[]): Iterable<string> {
  const last = new Map<string, Change>()
  const given = new Set<string>()
  const closed = new Set<string>()
  const deleted: string[] = []
  for (const change of changes) {
    const { id, from, to, attempt } = change
    const before = last.get(id)
    const words = `${id}: ${from} → ${to} (attempt ${attempt} of session ${change.session})`
    if (!isLegal(change)) yield `${words} is no arrow`
    if ((before?.to ?? 'new') !== from) yield `${words} does not follow ${before?.from} → ${before?.to}`
    if (attempt !== (before?.attempt ?? 0) + (to === 'RUNNING' ? 1 : 0))
      yield `${words} follows attempt ${before?.attempt}`
    if (to === 'RUNNING') given.add(leaseId({ id, attempt, sessionId: change.session! }))
    if (from === 'RUNNING') yield* ending(answers, change, before, closed)
    if (from === 'new' && !answers.created.has(id)) yield `${words} was not answered`
    if (to === 'gone') deleted.push(id)
    last.set(id, change)
  }
  yield* differences(
    'created',
    answers.created,
    new Set(changes.filter(({ from }) => from === 'new').map(({ id }) => id)),
  )
  yield* differences('leased', new Set(answers.leased.keys()), given)
  yield* differences('ended', new Set(answers.ended.keys()), closed)
  yield* differences('deleted', new Set(answers.deleted), new Set(deleted))
  if (answers.deleted.length !== deleted.length) yield 'a deletion was answered twice'
  for (const { lease, round } of answers.refused)
    if (!(answers.ended.get(lease) ?? []).some((end) => end.round <= round))
      yield `${lease} was refused, and it still held`
}

function* ending(answers: Answers, change: Change, before: Change | undefined, closed: Set<string>): Iterable<string> {
  const lease = leaseId({ id: change.id, attempt: change.attempt, sessionId: before?.session ?? '' })
  if (closed.has(lease)) yield `${lease} ended twice`
  closed.add(lease)
  const ends = answers.ended.get(lease) ?? []
  if (ends.length !== 1) yield `${lease} ended once, and that was answered ${ends.length} times`
  const word = change.to === 'SUCCEEDED' ? 'succeeded' : outcomeName(change.lastOutcome)
  // A sweep finds attempts that lost their worker or ran out of time.
  const isSwept = word === 'lost' || word === 'timedOut'
  for (const end of ends)
    if (end.word !== (isSwept ? 'swept' : word)) yield `${lease} ended as ${word}, and was answered as ${end.word}`
}

function* differences(what: string, told: Set<string>, seen: Set<string>): Iterable<string> {
  for (const one of told.difference(seen)) yield `${one} was answered as ${what}, and the database knows nothing of it`
  for (const one of seen.difference(told)) yield `${one} was ${what}, and nobody was told`
}

function written({ id, attempt, sessionId }: Lease) {
  return { task: taskName(id), attempt, session: String(sessionId) }
}

function taskName(id: string): string {
  return `projects/${project}/tasks/${id}`
}

/** The name of an attempt's outcome. */
export function outcomeName(number: number | null | undefined): string {
  return Object.entries(Outcome).find(([, value]) => value === number)?.[0] ?? 'nothing'
}
