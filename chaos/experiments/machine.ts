import type { Experiment } from '../experiment.ts'

export const cpuStarved: Experiment = {
  name: 'cpu-starved',
  title: 'Four times as many busy processes as there are cores',
  hypothesis: 'Everything is slower, and no worker is taken for dead: heartbeats leave a fivefold margin.',
  fault: { kind: 'burn', processes: 8, forMs: 15_000 },
  bounds: { errorShareMax: 0.05, recoverMsMax: 8_000 },
  explanation: 'A heartbeat every few seconds needs a fraction of a processor; the session lives for 10 s without one.',
}

const wrongClock =
  'Which lease has ended and which task is due is decided by the clock of the database alone, so nothing changes.'

export const clockAhead: Experiment = {
  name: 'clock-ahead',
  title: 'The clock of tasks is 5 minutes ahead',
  hypothesis: wrongClock,
  fault: { kind: 'clock', part: 'tasks', offsetMs: 300_000, forMs: 10_000 },
  bounds: { errorShareMax: 0.02, recoverMsMax: 3_000 },
  explanation: 'Deadlines travel as durations (grpc-timeout), and timers follow the monotonic clock.',
}

export const clockBehind: Experiment = {
  name: 'clock-behind',
  title: 'The clock of the gateway is 5 minutes behind',
  hypothesis: wrongClock,
  fault: { kind: 'clock', part: 'gateway', offsetMs: -300_000, forMs: 10_000 },
  bounds: { errorShareMax: 0.02, recoverMsMax: 3_000 },
  explanation: 'A call whose deadline was set just before the clock jumped may end early; the next one does not.',
}

export const diskFull: Experiment = {
  name: 'disk-full',
  title: 'The disk of PostgreSQL is full for 10 s',
  hypothesis:
    'Nothing is acknowledged that could not be written. Once there is room again the database recovers, and with it everything else, without anybody’s help.',
  system: { diskMiB: 400 },
  fault: { kind: 'fillDisk', forMs: 10_000 },
  bounds: { errorShareMax: 0.8, recoverMsMax: 30_000 },
  explanation:
    'A statement that cannot extend a file fails; if the log itself cannot grow, PostgreSQL stops and is started again until it can.',
  improvement:
    'Callers were told INTERNAL, which means a fault of ours and is not worth repeating. What a database says when it lacks disk or memory (SQLSTATE class 53) is [now UNAVAILABLE](../../services/runtime/sqlstate.ts), with a time after which to try again, like every other outage.',
}
