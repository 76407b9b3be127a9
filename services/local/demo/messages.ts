/** What the demo and its receiver, a process of its own, say to each other. */
export type ToReceiver = { kind: 'start'; host: string; secret: string; slowPercent: number } | { kind: 'report' }

export type FromReceiver =
  | { kind: 'listening'; port: number }
  | { kind: 'counts'; counts: Counts }
  | { kind: 'deliveries'; deliveries: Delivery[] }

/** How far the receiver is. */
export interface Counts {
  accepted: number
  refused: number
}

/** One request that reached the receiver. */
export interface Delivery {
  /** Which submission it is of, as the path said. */
  index: number
  webhookId: string
  sha256: string
  isVerified: boolean
  /** The HTTP status of the answer. */
  status: number
  /** When it was answered, in milliseconds since 1970. */
  timeMs: number
}
