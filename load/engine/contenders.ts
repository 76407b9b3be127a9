/** Who takes part, and with which settings. */
export interface Contender {
  name: string
  /** Its settings, in words. */
  settings: string
  adapter: 'flowforge' | 'graphile-worker' | 'pg-boss' | 'bullmq' | 'river'
  store: 'postgres' | 'redis'
  concurrency: number
  tuned: boolean
  /** When Redis makes an append durable. */
  appendfsync?: 'everysec' | 'always'
  /** SQL that counts the tasks that are stored and not finished. */
  unfinished: string
}

const graphile = {
  adapter: 'graphile-worker',
  store: 'postgres',
  unfinished: 'select count(*) from graphile_worker._private_jobs',
} as const
const pgBoss = {
  adapter: 'pg-boss',
  store: 'postgres',
  unfinished: "select count(*) from pgboss.job where state < 'completed'",
} as const
const bullmq = { adapter: 'bullmq', store: 'redis', concurrency: 100, tuned: false, unfinished: '' } as const
const river = {
  adapter: 'river',
  store: 'postgres',
  unfinished:
    "select count(*) from river_job where state in ('available', 'pending', 'retryable', 'running', 'scheduled')",
} as const

export const contenders: Contender[] = [
  {
    name: 'flowforge',
    settings: 'defaults; gRPC with mTLS, one tasks service, one SDK worker with capacity 1,000, history kept',
    adapter: 'flowforge',
    store: 'postgres',
    concurrency: 1_000,
    tuned: false,
    unfinished: 'select count(*) from tasks.task',
  },
  { ...graphile, name: 'graphile', settings: 'defaults, concurrency 10', concurrency: 10, tuned: false },
  {
    ...graphile,
    name: 'graphile-local-queue',
    settings: 'as its own performance test: 24 at a time, local queue of 500, refetch after 10 ms, batched completion',
    concurrency: 24,
    tuned: true,
  },
  {
    ...pgBoss,
    name: 'pg-boss',
    settings: 'NOTIFY, fetches of 100, each job with its own outcome',
    concurrency: 100,
    tuned: false,
  },
  {
    ...pgBoss,
    name: 'pg-boss-batch',
    settings: 'NOTIFY, two workers with batches of 500, completed as a whole, burst while batches are full',
    concurrency: 500,
    tuned: true,
  },
  {
    ...bullmq,
    name: 'bullmq',
    settings: 'concurrency 100, Redis with AOF every second: up to 1 s is lost in a crash',
    appendfsync: 'everysec',
  },
  { ...bullmq, name: 'bullmq-always', settings: 'concurrency 100, Redis with AOF always', appendfsync: 'always' },
  { ...river, name: 'river', settings: 'defaults, 100 workers', concurrency: 100, tuned: false },
  {
    ...river,
    name: 'river-tuned',
    settings: 'as its own benchmark: 2,000 workers, fetch every 2 ms, poll every 20 ms',
    concurrency: 2_000,
    tuned: true,
  },
]
