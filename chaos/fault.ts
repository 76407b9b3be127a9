/** What can be done to a running system, as data: each driver knows its own way to do it. */

/** What an experiment may point at; `worker` is the first of the workers. */
export type Part = 'gateway' | 'tasks' | 'accounts' | 'notifications' | 'worker' | 'postgres'

/** Which bytes of a link go nowhere: those of the requests, those of the answers, or all. */
export type Lost = 'requests' | 'answers' | 'both'

/** How a link between two parts misbehaves. */
export interface LinkTrouble {
  latencyMs?: number
  bytesPerSecond?: number
  lost?: Lost
  /** All connections are reset this often. */
  resetEveryMs?: number
}

export type Fault =
  | { kind: 'kill'; part: Part; signal: 'SIGKILL' | 'SIGTERM' | 'SIGINT'; times: number; everyMs: number }
  | { kind: 'pause'; part: Part; forMs: number }
  /** One process at a time; or the parts side by side, and only the instances of each in turn. */
  | { kind: 'roll'; parts: Part[]; rounds: number; isSideBySide: boolean }
  | ({ kind: 'link'; from: Part; to: Part; forMs: number } & LinkTrouble)
  | { kind: 'terminateConnections'; perSecond: number; forMs: number }
  | { kind: 'holdConnections'; count: number; forMs: number }
  | { kind: 'upstreamAnswers'; from: Part; to: Part; code: 'UNAVAILABLE'; forMs: number }
  | { kind: 'redisGone'; greedyPerSecond: number; forMs: number }
  | { kind: 'burn'; processes: number; forMs: number }
  | { kind: 'clock'; part: Part; offsetMs: number; forMs: number }
  | { kind: 'rotateCertificates' }
  | { kind: 'expireCertificate'; part: Part; forMs: number }
  /** The part gets an identity that no RPC lets in; `audit` flips every service to audit mode before and back afterwards. */
  | { kind: 'deny'; part: Part; mode: 'enforce' | 'audit'; forMs: number }
  | { kind: 'fillDisk'; forMs: number }
  | { kind: 'poison'; tasks: number; forMs: number }
  | { kind: 'backlog'; tasks: number }
  | { kind: 'slowClients'; connections: number; forMs: number }
  | { kind: 'upgrade'; from: string }
