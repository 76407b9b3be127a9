import { deepEqual } from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test, type TestContext } from 'node:test'
import { openDatabase } from '@flowforge/runtime/database'
import { createLogger } from '@flowforge/runtime/log'
import { createTestDatabase, type TestDatabase } from '@flowforge/runtime/testing/database'
import fc from 'fast-check'
import type pg from 'pg'
import { ensurePartitions } from '../engine/partitions.ts'
import { changeQueue, giveFreeSlots } from '../engine/queues.ts'
import { proofs } from './config.ts'
import { checkHistories } from './history/check.ts'
import { readStored } from './history/stored.ts'
import { installAudit, readChanges } from './model/audit.ts'
import { brokenInvariants, exceededLimits } from './model/invariants.ts'
import { queuesCount, rounds, type Step } from './model/step.ts'
import { contradictions, project } from './model/told.ts'
import { Ways } from './model/together.ts'
import { World } from './model/world.ts'

const roundsPerRun = 100
let database: TestDatabase
let pool: pg.Pool
let close: () => Promise<void>
let queueIds: number[]
let stepsTaken = 0
const ways = new Ways()

before(async () => {
  database = await createTestDatabase({ component: 'tasks', folder: join(import.meta.dirname, '../schema') })
  ;({ pool, close } = openDatabase({ url: database.url, component: 'tasks', log: createLogger('tasks', 'error') }))
  await installAudit(pool)
  const { rows } = await pool.query(
    `insert into tasks.queue (project, name) select 'model', 'q' || i from generate_series(0, $1 - 1) as i returning id`,
    [queuesCount],
  )
  queueIds = rows.map((row) => row.id)
  await ensurePartitions(pool)
})
after(() => close())

/** Queue 0 is plain, 1 has limits, 2 slots for each key, and 3 fairness, ageing and one slot for each key. */
const queueConcurrency = 3
async function setup(): Promise<World> {
  await pool.query(`truncate tasks.task, tasks.finished_task, tasks.request, tasks.session, tasks.queue_count, tasks.queue_count_change,
    tasks.queue_steering, tasks.fairness, tasks.concurrency, tasks.audit`)
  await pool.query('update tasks.queue set paused = false')
  await database.setClock(0)
  await changeQueue(pool, queueIds[1]!, { concurrency: queueConcurrency, ratePerS: 5, rateBurst: 10 })
  await changeQueue(pool, queueIds[2]!, { concurrencyPerKey: 2 })
  await changeQueue(pool, queueIds[3]!, { concurrencyPerKey: 1, ageingS: 5, fairnessWeights: { f1: 2 } })
  return new World(database, pool, queueIds, ways)
}

async function check(world: World): Promise<void> {
  const broken: string[] = []
  for await (const line of brokenInvariants(pool)) broken.push(line)
  const changes = await readChanges(pool)
  broken.push(...checkHistories(world.answers.history, await readStored(database.url, project), { isComplete: true }))
  broken.push(...contradictions(world.answers, changes), ...exceededLimits(changes, limitOf))
  deepEqual(broken, [])
}

function limitOf(group: string): number {
  const [, queueId, key] = group.match(/^queue (\d+)(?: key (.+))?$/)!
  const queue = queueIds.indexOf(Number(queueId))
  // What ran before a limit shrank goes on, so of queue 2 only its greatest limit can be told.
  if (key) return [Infinity, Infinity, 3, 1][queue]!
  return queue === 1 ? queueConcurrency : Infinity
}

async function run(plan: Step[][]): Promise<void> {
  const world = await setup()
  for (const steps of plan) {
    world.answers.round++
    stepsTaken += steps.length
    await Promise.all(steps.map((step) => world.run(step)))
  }
  await world.stop()
  await world.run({ kind: 'sweep' })
  // A transaction that gave up (a lock timeout, a deadlock) may have held a task that was due for a slot.
  if (plan.some((steps) => steps.length > 1)) await giveFreeSlots(pool)
  await check(world)
  await world.drain()
  await check(world)
}

/** A failure prints the seed; given as FLOWFORGE_MODEL_SEED, it is run again and made as short as possible. */
async function holdsAfter(context: TestContext, stepsMax: number, share: number): Promise<void> {
  const wanted = proofs.modelSteps * share
  const stepsPerRun = (roundsPerRun * (1 + stepsMax)) / 4
  stepsTaken = 0
  // Runs are shorter than planned, because fast-check likes short ones: it goes on until the steps were taken.
  for (let seed = proofs.modelSeed; stepsTaken < wanted; seed++) {
    await fc.assert(fc.asyncProperty(rounds(roundsPerRun, stepsMax), run), {
      seed,
      numRuns: Math.ceil((wanted - stepsTaken) / stepsPerRun),
      // Making it shorter takes longer than finding it.
      endOnFailure: !proofs.isReplay,
    })
  }
  context.diagnostic(`${stepsTaken} steps from seed ${proofs.modelSeed} on`)
}

test('whatever many sessions do one after another, every promise holds', (context) => holdsAfter(context, 1, 0.25))
test('whatever many sessions do at the same time, every promise holds', (context) => holdsAfter(context, 6, 0.75))

const isShort = proofs.isReplay || proofs.modelSteps < 1_000
const skip = isShort && 'a short run need not take all ways'
test('the runs took all ways that creations, successes and waiting workers can take together', { skip }, (context) => {
  context.diagnostic(JSON.stringify(ways))
  const untaken = Object.entries(ways).filter(([, count]) => count === 0)
  deepEqual(untaken, [])
})
