import type { Experiment } from '../experiment.ts'

export const connectionsEnded: Experiment = {
  name: 'connections-ended',
  title: 'Two connections to PostgreSQL are ended a second',
  hypothesis:
    'A statement whose connection is ended is repeated where that is safe, or its caller is told UNAVAILABLE; the pools refill.',
  fault: { kind: 'terminateConnections', perSecond: 2, forMs: 15_000 },
  bounds: { errorShareMax: 0.05, recoverMsMax: 3_000 },
  explanation: 'Idle connections that end cost nothing; one in the middle of a batch fails the calls of that batch.',
}

export const connectionsHeld: Experiment = {
  name: 'connections-held',
  title: 'A programme takes 300 connections, more than PostgreSQL gives',
  hypothesis:
    'The services work with the connections that they have. Each role has its own limit, so that no service can starve another.',
  fault: { kind: 'holdConnections', count: 300, forMs: 10_000 },
  bounds: { errorShareMax: 0.05, recoverMsMax: 3_000 },
  explanation: 'A pool that has opened its connections needs no new ones.',
}

export const postgresRestart: Experiment = {
  name: 'postgres-restart',
  title: 'PostgreSQL is restarted in order',
  hypothesis: 'As after a kill, but faster: nothing has to be replayed.',
  fault: { kind: 'kill', part: 'postgres', signal: 'SIGINT', times: 1, everyMs: 0 },
  bounds: { errorShareMax: 0.4, recoverMsMax: 10_000, detectMsMax: 2_000 },
  explanation: 'A fast shutdown ends each connection with a status that the services translate to UNAVAILABLE.',
}
