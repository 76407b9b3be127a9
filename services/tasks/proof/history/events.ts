/**
 * What a client was told, one line of JSON for each answer. Load and chaos runs keep these files, and check.ts compares
 * them with the database afterwards. Times are the client's own and only help to read a file: nothing is decided by them.
 */
import { appendFileSync, readFileSync } from 'node:fs'

/** A lease as a client knows it. */
export interface ToldLease {
  /** The resource name of the task. */
  task: string
  attempt: number
  /** Decimal, as JSON has no integers of 64 bits. */
  session: string
}

/** How an attempt ended, by the client's own words. */
export type ToldOutcome = 'succeeded' | 'failed' | 'released' | 'cancelled'

/** What became of a call: `unknown` if no answer came, so that it may have happened or not. */
export type Verdict = 'accepted' | 'refused' | 'unknown'

export type Told =
  | { kind: 'created'; task: string }
  | ({ kind: 'leased' } & ToldLease)
  | ({ kind: 'outcome'; outcome: ToldOutcome; verdict: Verdict } & ToldLease)
  | { kind: 'deleted'; task: string; verdict: Verdict }

/** An event, who was told, and when. */
export type HistoryEvent = Told & { client: string; time: string }

/** Writes down what one client was told; each line is in the file when `told` returns, so a killed client loses none. */
export class HistoryFile {
  readonly #path: string
  readonly #client: string

  constructor(path: string, client: string) {
    this.#path = path
    this.#client = client
  }

  told(event: Told): void {
    const line: HistoryEvent = { ...event, client: this.#client, time: new Date().toISOString() }
    appendFileSync(this.#path, `${JSON.stringify(line)}\n`)
  }
}

/** Appends many events of a client at once, for who is in no danger of being killed meanwhile. */
export function appendHistory(path: string, client: string, events: Told[]): void {
  const time = new Date().toISOString()
  const lines = events.map((event) => `${JSON.stringify({ ...event, client, time } satisfies HistoryEvent)}\n`)
  appendFileSync(path, lines.join(''))
}

/** All events of some files; a last line that a killed client did not finish is left out. */
export function readHistories(paths: string[]): HistoryEvent[] {
  return paths.flatMap((path) => {
    const lines = readFileSync(path, 'utf8').split('\n')
    lines.pop()
    return lines.map((line) => JSON.parse(line) as HistoryEvent)
  })
}
