import { setTimeout as delay } from 'node:timers/promises'
import type { Part } from '../fault.ts'
import type { Producer } from '../traffic/producer.ts'
import type { ChaosSystem } from './system.ts'

/** What only some faults can measure. */
export interface Measured {
  /** Calls that reached an upstream for each of a client. */
  amplification?: number
  /** Part of the slow connections that the server closed. */
  disconnectedShare?: number
  /** Reads that were older than the reader's own write. */
  staleReads?: number
  /** Requests that were served to a principal who asked for more than its limit. */
  admitted?: number
  /** Calls against policy that were served because it is only audited. */
  audited?: number
}

/** What an injection needs to know of the run. */
export interface Scene {
  system: ChaosSystem
  producer: Producer
  folder: string
  /** Aborted when the fault must end early. */
  signal: AbortSignal
  /** Writes a line to the run's record. */
  note: (line: string) => void
  /** Figures that only this fault has. */
  measured: Measured
}

/** The links that the calls of one part to another take. */
export function linksBetween({ system }: Scene, from: Part, to: Part) {
  const links = system.links.filter((one) => one.from === from && one.to === to).map(({ link }) => link)
  if (links.length === 0) throw new Error(`${from} does not call ${to}`)
  return links
}

/** Waits, and returns early once the fault must end. */
export async function forMs(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => {
    // Aborted: the caller goes on to undo what it did.
  })
}

/** The process of a part that experiments strike: the first of several. */
export function processOf(part: Part): string {
  return part === 'worker' ? 'worker-1' : part
}

/** Every process of a part, which are called `part`, `part-2` … */
export function processesOf({ system }: Scene, part: Part): string[] {
  return [...system.adminPorts.keys()].filter((name) => name === part || name.startsWith(`${part}-`))
}
