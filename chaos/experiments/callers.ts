import type { Experiment } from '../experiment.ts'

export const poisonTask: Experiment = {
  name: 'poison-task',
  title: 'A task that kills whoever runs it',
  hypothesis:
    'After it has taken three workers with it, it is put away as dead. The tasks that ran beside it finish on other workers, however often.',
  system: { env: { FLOWFORGE_LOSSES_MAX: '3' } },
  fault: { kind: 'poison', tasks: 1, forMs: 20_000 },
  bounds: { errorShareMax: 0, recoverMsMax: 15_000, dead: 1 },
  explanation:
    'A lost attempt costs no attempt of the retry policy, since the worker is usually to blame. Losses are counted apart, five are too many; here three.',
}

export const backlogSpike: Experiment = {
  name: 'backlog-spike',
  title: 'One tenant hands in 100,000 tasks at once',
  hypothesis:
    'They are taken in batches without failing anybody else’s calls. The small tenant’s tasks do not wait behind them.',
  traffic: { capacity: 500 },
  fault: { kind: 'backlog', tasks: 100_000 },
  bounds: { errorShareMax: 0.02, recoverMsMax: 120_000 },
  explanation:
    'The fair rank is computed when a task is stored, so leasing reads one index in order, however long the queue is.',
}

export const slowClients: Experiment = {
  name: 'slow-clients',
  title: '10,000 connections that never finish their request',
  hypothesis: 'Other callers do not notice. Who does not finish a request’s head in time is disconnected.',
  fault: { kind: 'slowClients', connections: 10_000, forMs: 22_000 },
  bounds: { errorShareMax: 0.02, recoverMsMax: 5_000, disconnectedShareMin: 0.99 },
  explanation:
    'A connection that sends nothing costs some memory and no thread. Who has not sent a request’s head after 10 s is disconnected.',
}

export const upgradeUnderLoad: Experiment = {
  name: 'upgrade',
  title: 'Every service of an earlier build is replaced by this one under load',
  hypothesis:
    'Old and new understand each other on every hop while both are there, and the schema’s changes harm neither.',
  system: { instances: 2 },
  fault: { kind: 'upgrade', from: 'HEAD~25' },
  bounds: { errorShareMax: 0.002, p99DuringMsMax: 500, recoverMsMax: 3_000 },
  explanation: 'Whoever is called is replaced before who calls it; contracts change only in ways that both can read.',
  improvement:
    'As with [rolling-restart](#rolling-restart): two instances of each service, each of which says that it leaves before it does.',
}
