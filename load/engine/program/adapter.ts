/** What a contender's programme in Node.js must be able to do; main.ts does the rest. */
import type { Keys, Payload } from './protocol.ts'

export interface Producer {
  /** Resolves when the task is stored durably. */
  create(payload: Payload): Promise<void>
  /** The same for many in one call. */
  createMany(payloads: Payload[], keys?: Keys): Promise<void>
  close(): Promise<void>
}

export interface Consumer {
  /** Waits for what runs, and until its outcome is stored. */
  stop(): Promise<void>
}

export interface Adapter {
  /** Appends what its producers and consumers were told to a file, and forgets it; for adapters that keep it. */
  writeHistory?(file: string): void
  producer(settings: Settings): Promise<Producer>
  consumer(settings: Settings, handler: (payload: Payload) => Promise<void>): Promise<Consumer>
}

/** Where to connect and what to set, as the contender's entry in contenders.ts says. */
export interface Settings {
  /** The database, or Redis. */
  url: string
  /** FlowForge's own: the service and the certificates. */
  address?: string
  certificates?: string
  /** How many tasks a worker runs at a time. */
  concurrency: number
  /** The contender's best documented setting, not its default. */
  tuned: boolean
}
