import type { Fault } from './fault.ts'

/** The load that runs through the whole experiment. */
export interface Traffic {
  /** Tasks handed in a second, at random moments, whether earlier ones were answered or not. */
  ratePerSecond: number
  /** How long a task runs: from … to, evenly spread. */
  taskMs: [number, number]
  /** Attempts at a time of each of the two workers. */
  capacity: number
}

/** What must hold, in figures; the promises about tasks hold always and need no bound. */
export interface Bounds {
  /** Part of the tries in the whole run that may be answered with an error. */
  errorShareMax: number
  /** 99 of 100 creations that were due from the beginning of the fault until the steady state is back are answered within. */
  p99DuringMsMax?: number
  /** From the end of the fault until the steady state is back. */
  recoverMsMax: number
  /** From the beginning of the fault until the system has noticed it; absent where there is nothing to notice. */
  detectMsMax?: number
  /** Attempts whose worker was given up. */
  lostAttemptsMax?: number
  /** Calls that reach an upstream for each call of a client while it fails. */
  amplificationMax?: number
  /** Part of the slow connections that the server has closed by the end. */
  disconnectedShareMin?: number
  /** Requests that are served to a principal who asks for more than its limit. */
  admittedMax?: number
  /** Calls against policy that an audit lets through and counts. */
  auditedMin?: number
  /** Tasks that are to end as dead; none if absent. */
  dead?: number
}

/** When the fault is ended early, because it harms more than was meant. */
export interface AbortRule {
  /** Ends it when every try failed for so long. */
  allFailedForMs: number
}

/** What makes the system different from a plain `npm start`. */
export interface SystemNeeds {
  /** Of each service, behind a balancer; 1 if absent. There are always two workers. */
  instances?: number
  env?: Record<string, string>
  /** PostgreSQL's files lie on a filesystem of this size, which needs root on Linux. */
  diskMiB?: number
  /** The gateways share a Redis. */
  redis?: boolean
}

/** One belief about the system, and what is done to it to find out. */
export interface Experiment {
  name: string
  title: string
  hypothesis: string
  /** Belongs to the set that runs in a few minutes. */
  isShort?: boolean
  system?: SystemNeeds
  traffic?: Partial<Traffic>
  fault: Fault
  bounds: Bounds
  abort?: AbortRule
  /** Why what happens happens, and what was changed because of it. */
  explanation: string
  /** What the experiment had found and what was done about it, with a link from docs/reports to the change. */
  improvement?: string
}

export const usualTraffic: Traffic = { ratePerSecond: 50, taskMs: [20, 200], capacity: 40 }

export const usualAbort: AbortRule = { allFailedForMs: 30_000 }

/** A new fault of this kind needs no more than this before and after it. */
export const phases = { warmUpMs: 2_000, steadyMs: 3_000, calmMs: 3_000 }
