/** Compares what clients were told with what the database holds: every broken promise is one line. */
import type { AttemptColumn } from '../../tables.ts'
import { Outcome, SUCCEEDED } from '../../engine/states.ts'
import type { Told, ToldLease, ToldOutcome } from './events.ts'
import type { Stored } from './stored.ts'

export interface CheckOptions {
  /** True if every client of the run kept a history, so that nothing may be in the database that nobody was told of. */
  isComplete: boolean
}

const outcomeNumbers: Record<ToldOutcome, number> = {
  succeeded: Outcome.succeeded,
  failed: Outcome.failed,
  released: Outcome.released,
  cancelled: Outcome.cancelled,
}

type OutcomeTold = Extract<Told, { kind: 'outcome' }>
type LeaseTold = Extract<Told, { kind: 'leased' }>

/** All that was told about one task, and what is stored of it. */
interface Case {
  task: string
  isCreated: boolean
  isDeleted: boolean
  mayBeDeleted: boolean
  leases: LeaseTold[]
  outcomes: OutcomeTold[]
  stored: Stored[]
}

/** The violations, in the order of the tasks' names; empty if every promise was kept. */
export function checkHistories(told: Told[], stored: Stored[], { isComplete }: CheckOptions): string[] {
  const cases = gather(told, stored)
  return [...cases.values()]
    .toSorted((a, b) => (a.task < b.task ? -1 : 1))
    .flatMap((one) =>
      [
        ...existence(one),
        ...leasing(one),
        ...one.outcomes.flatMap((outcome) => [...recording(one, outcome)]),
        ...finishing(one),
        ...(isComplete ? provenance(one) : []),
      ].map((violation) => `${one.task}: ${violation}`),
    )
}

function gather(told: Told[], stored: Stored[]): Map<string, Case> {
  const cases = new Map<string, Case>()
  const caseOf = (task: string): Case => {
    let one = cases.get(task)
    if (!one) {
      one = { task, isCreated: false, isDeleted: false, mayBeDeleted: false, leases: [], outcomes: [], stored: [] }
      cases.set(task, one)
    }
    return one
  }
  for (const event of told) {
    const one = caseOf(event.task)
    if (event.kind === 'created') one.isCreated = true
    else if (event.kind === 'leased') one.leases.push(event)
    else if (event.kind === 'outcome') one.outcomes.push(event)
    else if (event.verdict === 'accepted') one.isDeleted = true
    else if (event.verdict === 'unknown') one.mayBeDeleted = true
  }
  for (const row of stored) caseOf(row.task).stored.push(row)
  return cases
}

function* existence({ isCreated, isDeleted, mayBeDeleted, leases, stored }: Case): Iterable<string> {
  if (stored.length > 1) yield `is stored ${stored.length} times (${stored.map((row) => row.half).join(', ')})`
  if (stored.length === 1 && isDeleted) yield 'its deletion was acknowledged, and it is there'
  if (stored.length === 0 && !isDeleted && !mayBeDeleted && (isCreated || leases.length > 0))
    yield `its ${isCreated ? 'creation' : 'lease'} was acknowledged, and it is lost`
}

function* leasing({ leases, stored }: Case): Iterable<string> {
  const given = new Map<number, ToldLease>()
  for (const lease of leases) {
    const other = given.get(lease.attempt)
    if (other) yield `attempt ${lease.attempt} was leased twice, to session ${other.session} and to ${lease.session}`
    given.set(lease.attempt, lease)
    for (const row of stored)
      if (lease.attempt > row.attempt)
        yield `attempt ${lease.attempt} was leased, and the database knows of ${row.attempt} attempts only`
  }
}

function* recording(one: Case, told: OutcomeTold): Iterable<string> {
  const row = one.stored[0]
  if (told.verdict === 'unknown' || !row) return
  const name = `attempt ${told.attempt} of session ${told.session}`
  const recorded = recordedOutcome(row, told)
  const isRecorded = recorded === outcomeNumbers[told.outcome]
  if (told.verdict === 'accepted' && recorded === 'unknown') return
  if (told.verdict === 'accepted' && !isRecorded)
    yield `${name} was acknowledged as ${told.outcome}, and the database says ${wordFor(recorded)}`
  // Only of a success can one say so: after any other end the task goes on, and a late repeat is refused rightly.
  if (told.verdict === 'refused' && isRecorded && told.outcome === 'succeeded')
    yield `${name} was refused, and the database says succeeded by it`
}

/** The outcome that is stored for a lease; undefined if it is none, `unknown` if it may have been forgotten. */
function recordedOutcome(row: Stored, lease: ToldLease): number | 'unknown' | undefined {
  if (row.state === SUCCEEDED && row.attempt === lease.attempt)
    return row.session === lease.session ? Outcome.succeeded : undefined
  const ended = row.attempts.find((attempt: AttemptColumn) => attempt.number === lease.attempt)
  if (ended) return ended.outcome
  return row.attempts.length > 0 && lease.attempt < row.attempts[0]!.number ? 'unknown' : undefined
}

function* finishing({ outcomes }: Case): Iterable<string> {
  const accepted = outcomes.filter(({ verdict }) => verdict === 'accepted')
  const finishers = new Set(accepted.filter(({ outcome }) => outcome === 'succeeded').map(leaseName))
  if (finishers.size > 1) yield `finished ${finishers.size} times: ${[...finishers].join(' and ')}`
  for (const [lease, ends] of Map.groupBy(accepted, leaseName)) {
    const words = new Set(ends.map(({ outcome }) => outcome))
    if (words.size > 1) yield `${lease} was acknowledged as ${[...words].join(' and as ')}`
  }
}

function* provenance({ isCreated, leases, outcomes, stored }: Case): Iterable<string> {
  for (const row of stored) {
    if (!isCreated) yield 'is stored, and nobody was told of its creation'
    if (row.state !== SUCCEEDED) continue
    const isOf = (lease: ToldLease): boolean => lease.attempt === row.attempt && lease.session === row.session
    if (!leases.some(isOf))
      yield `succeeded by attempt ${row.attempt} of session ${row.session}, which nobody was given`
    if (!outcomes.some((told) => isOf(told) && told.outcome === 'succeeded'))
      yield `succeeded by attempt ${row.attempt} of session ${row.session}, which nobody reported`
  }
}

function leaseName({ attempt, session }: ToldLease): string {
  return `attempt ${attempt} of session ${session}`
}

function wordFor(outcome: number | 'unknown' | undefined): string {
  return Object.entries(Outcome).find(([, number]) => number === outcome)?.[0] ?? 'nothing of it'
}
