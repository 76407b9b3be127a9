/**
 * The lease protocol of one task as a state machine small enough to visit every state of it.
 *
 *   worker ── open/resume ──► session row ◄── sweep (when its time is over)
 *     ▲  │                        │
 *     │  └── outcome ──► task row ◄── lease (a statement that may commit after its process has died)
 *     └───── grant ────────────┘
 *
 * Messages may be late, doubled or lost, streams break, processes and workers die at any point, and the clock passes
 * an expiry whenever it likes. `Protocol` says how each decision is made; `asBuilt` is ours, `wrong` are those that
 * others chose or that a refactoring may fall back to. What each breaks is told by the shortest way there.
 */
import type { Model } from './explore.ts'
import { stepsOf } from './lease-protocol-steps.ts'

/** How the decisions of the protocol are made. */
export interface Protocol {
  /** What of (attempt, session) an outcome is compared with. */
  fence: 'attempt and session' | 'attempt' | 'session' | 'none'
  /** Whether the fence is compared by the statement that writes, or by one before it. */
  fenceIn: 'the write' | 'a read before'
  /** Whether moving a finished task to the other half is one statement. */
  move: 'one statement' | 'two statements'
  /** What a redrive does to the number of attempts. */
  redrive: 'keeps the attempt' | 'resets the attempt'
  /** Whose clock says that a session is over. */
  clock: 'database' | 'any client'
  /** Whether resuming asks for the token that the worker got when it opened the session. */
  resume: 'with token' | 'by number'
  /** Whether a stream that ends a session must be the last that served it. */
  endOfStream: 'with epoch' | 'without epoch'
  /** Whether a sweep looks at the session again under the lock that it ends it with. */
  sweep: 'under the session lock' | 'outside'
  /** Whether a lease is given only while its session lives and is served by the stream that asks. */
  lease: 'under the session lock' | 'unchecked'
}

export const asBuilt: Protocol = {
  fence: 'attempt and session',
  fenceIn: 'the write',
  move: 'one statement',
  redrive: 'keeps the attempt',
  clock: 'database',
  resume: 'with token',
  endOfStream: 'with epoch',
  sweep: 'under the session lock',
  lease: 'under the session lock',
}

/** A lease, with the serial number that only the model knows: no two leases ever given have the same. */
export interface Lease {
  attempt: number
  session: number
  serial: number
}

export interface Session {
  /** Who opened it, and so knows its token. */
  worker: number
  epoch: number
  /** Why it may be swept, if it may. */
  due: 'no' | 'its time is over' | 'a stream that it had left ended it'
}

export interface Worker {
  /** 0 before it opened one. */
  session: number
  /** Of the stream that it talks on; 0 while it has none. */
  epoch: number
  held: Lease | null
}

/** A stream as its serving process sees it, be it broken or not. */
export interface Stream {
  session: number
  epoch: number
}

export interface Outcome {
  lease: Lease
  kind: 'success' | 'death'
}

export interface State {
  task: {
    place: 'ready' | 'running' | 'nowhere' | 'dead' | 'finished'
    attempt: number
    session: number
    serial: number
  }
  sessions: (Session | null)[]
  workers: Worker[]
  streams: Stream[]
  /** Lease statements in flight, by the stream that asked. */
  leasing: Stream[]
  /** Leases on their way to a worker. */
  grants: { stream: Stream; lease: Lease }[]
  /** Outcomes on their way, or kept by a network that may deliver them again. */
  outcomes: Outcome[]
  /** Sweeps that have read a session and not yet ended it. */
  sweeping: number[]
  /** Outcomes whose fence was compared and that are not yet written. */
  writing: Outcome[]
}

/** How far it is explored; a task that was leased this often needs no further proof. */
export interface Bounds {
  workers: number
  sessions: number
  serials: number
  epochs: number
}

export const usualBounds: Bounds = { workers: 2, sessions: 2, serials: 2, epochs: 2 }

/** The model of a protocol, within bounds. */
export function leaseProtocol(protocol: Protocol, bounds: Bounds = usualBounds): Model<State> {
  const initial: State = {
    task: { place: 'ready', attempt: 0, session: 0, serial: 0 },
    sessions: [],
    workers: Array.from({ length: bounds.workers }, () => ({ session: 0, epoch: 0, held: null })),
    streams: [],
    leasing: [],
    grants: [],
    outcomes: [],
    sweeping: [],
    writing: [],
  }
  return {
    initial,
    steps: (state) => stepsOf(state, protocol, bounds),
    isGoal: (state) => state.task.place === 'finished' || state.task.place === 'dead' || isAtBound(state, bounds),
    stuck: 'the task is lost: without another fault it never ends',
  }
}

/** Nobody could take the task any more, though only because the exploration ends here. */
function isAtBound({ task, sessions, workers, streams }: State, bounds: Bounds): boolean {
  if (task.place !== 'ready') return false
  const canBeServed =
    streams.some((stream) => sessions[stream.session - 1]?.epoch === stream.epoch) ||
    sessions.length < bounds.sessions ||
    workers.some(({ session }) => session > 0 && (sessions[session - 1]?.epoch ?? Infinity) < bounds.epochs)
  return task.serial === bounds.serials || !canBeServed
}

/** Enough to lose a task. */
const smallBounds: Bounds = { workers: 1, sessions: 1, serials: 1, epochs: 2 }

/** A protocol that is known to be wrong, and what it breaks. */
export interface WrongProtocol {
  name: string
  protocol: Protocol
  breaks: RegExp
  bounds?: Bounds
}

/** Each differs from ours in one decision, or in the two that make the fault. */
export const wrong: WrongProtocol[] = [
  { name: 'there were no fence', protocol: { ...asBuilt, fence: 'none' }, breaks: /stale outcome/ },
  { name: 'only the session were compared', protocol: { ...asBuilt, fence: 'session' }, breaks: /stale outcome/ },
  {
    name: 'only the attempt were compared, and a redrive reset it',
    protocol: { ...asBuilt, fence: 'attempt', redrive: 'resets the attempt' },
    breaks: /stale outcome/,
  },
  {
    name: 'a redrive reset the attempt',
    protocol: { ...asBuilt, redrive: 'resets the attempt' },
    breaks: /stale outcome/,
  },
  {
    name: 'the fence were compared before the write',
    protocol: { ...asBuilt, fenceIn: 'a read before' },
    breaks: /stale outcome|twice/,
  },
  {
    name: 'the move were two statements',
    protocol: { ...asBuilt, move: 'two statements' },
    breaks: /lost/,
    bounds: smallBounds,
  },
  { name: "a client's clock decided", protocol: { ...asBuilt, clock: 'any client' }, breaks: /living session/ },
  {
    name: 'a session were resumed without its token',
    protocol: { ...asBuilt, resume: 'by number' },
    breaks: /still holds/,
  },
  {
    name: 'a stream ended its session without its epoch',
    protocol: { ...asBuilt, endOfStream: 'without epoch' },
    breaks: /living session/,
  },
  {
    name: 'a sweep settled outside of the session lock',
    protocol: { ...asBuilt, sweep: 'outside' },
    breaks: /living session/,
  },
  {
    name: 'a lease did not look at its session',
    protocol: { ...asBuilt, lease: 'unchecked' },
    breaks: /lost/,
    bounds: smallBounds,
  },
]
