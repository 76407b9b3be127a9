/** What FlowForge's producers and workers were told: services/tasks/proof/history compares it with the database. */
import type { Lease, Outcome } from '@flowforge/proto/flowforge/tasks/v1/worker_service.ts'
import { appendHistory, type Told as Event, type ToldLease } from '@flowforge/tasks/proof/history/events'

/** Kept in memory while figures are taken, since writing files would be measured too. */
export class Told {
  readonly #client: string
  /** All of it, since the last `forget`. */
  events: Event[] = []

  /** @param client Who was told, for people. */
  constructor(client: string) {
    this.#client = client
  }

  /** A create call was answered with this task. */
  created({ name }: { name: string }): void {
    this.events.push({ kind: 'created', task: name })
  }

  /** A worker got a lease. */
  readonly leased = (lease: Lease): void => {
    this.events.push({ kind: 'leased', ...written(lease) })
  }

  /** What a worker reported was answered. */
  readonly settled = ({ lease, outcome }: Outcome, verdict: 'accepted' | 'refused'): void => {
    const end = outcome!.$case === 'success' ? 'succeeded' : outcome!.$case === 'failure' ? 'failed' : 'released'
    this.events.push({ kind: 'outcome', ...written(lease!), outcome: end, verdict })
  }

  forget(): void {
    this.events = []
  }

  /** Appends all of it to a file, and forgets it. */
  writeTo(file: string): void {
    appendHistory(file, this.#client, this.events)
    this.forget()
  }
}

function written({ task, attempt, session }: Lease): ToldLease {
  return { task, attempt, session: String(session) }
}
