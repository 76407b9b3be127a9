import { deepEqual, equal, ok } from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { createTestDatabase } from '@flowforge/runtime/testing/database'
import { completeTasks } from '../engine/complete.ts'
import { extendLeases, storeProgress } from '../engine/extend.ts'
import { compileFilter } from '../engine/filter.ts'
import { leaseSteered, leaseTasks, type Slot } from '../engine/lease.ts'
import { listTasks } from '../engine/list.ts'
import { ensurePartitions } from '../engine/partitions.ts'
import { readQueue } from '../engine/queues.ts'
import { readTasks } from '../engine/read.ts'
import { released, settleTasks } from '../engine/settle.ts'
import { RUNNING } from '../engine/states.ts'
import { quarantineError } from '../engine/sweep.ts'
import {
  buffersOf,
  explainedPool,
  nodesOf,
  sequentialScans,
  type ExplainedPool,
  type Plan,
  type PlanNode,
} from './plan/explain.ts'
import { fill, fillFinished, makeQueue } from './plan/fill.ts'

const manyTasks = 100_000
const blockedTasks = 1_000_000
const slots = (count: number): Slot[] =>
  Array.from({ length: count }, () => ({ sessionId: 1n, worker: 'w', leaseMs: 60_000 }))

let explained: ExplainedPool
before(async () => {
  const database = await createTestDatabase({ component: 'tasks', folder: join(import.meta.dirname, '../schema') })
  explained = await explainedPool(database.adminUrl)
  // Statistics are what each test says they are.
  await explained.pool.query('alter table tasks.task set (autovacuum_enabled = false)')
  await ensurePartitions(explained.pool)
})
after(() => explained.pool.end())

/** The plan of the statement that locks READY tasks: by the index in its order, and no row more than was asked for. */
function checkLeasePlan(plans: Plan[], asked: number): void {
  const nodes = plans.flatMap(({ root }) => nodesOf(root))
  const locks = nodes.filter((node) => node['Node Type'] === 'LockRows' && nodesOf(node).some(isOnTasks))
  deepEqual(
    locks.map((node) => [node['Actual Rows'], node['Actual Loops']]),
    [[asked, 1]],
  )
  const scans = nodes.filter((node) => node['Index Name'] === 'task_ready')
  deepEqual(
    scans.map((node) => [node['Actual Rows'], node['Actual Loops']]),
    [[asked, 1]],
  )
  const sorts = nodes.filter(
    (node) => /Sort/.test(node['Node Type']) && node['Actual Rows'] * node['Actual Loops'] > asked,
  )
  deepEqual(sorts, [])
  deepEqual(sequentialScans(plans, /^task$/), [])
}

function isOnTasks(node: PlanNode): boolean {
  return node['Relation Name'] === 'task'
}

/** Plans made for the parameters at hand and for any, from statistics of none, an empty, an emptied and the full table. */
const situations = [
  { statistics: 'none', prepare: ['truncate tasks.task'] },
  { statistics: 'of the empty table', prepare: ['truncate tasks.task', 'analyze tasks.task'] },
  // Its indexes seem to have one page then, which can be read as well as looked into.
  {
    statistics: 'of the table when all had run',
    prepare: [
      'delete from tasks.task',
      `delete from pg_statistic where starelid = 'tasks.task'::regclass`,
      'analyze tasks.task',
    ],
  },
  { statistics: 'fresh', prepare: ['truncate tasks.task'] },
]
for (const { statistics, prepare } of situations)
  test(`of 100,000 READY tasks a lease locks as many as asked for, with statistics: ${statistics}`, async () => {
    const { pool } = explained
    const queueId = await makeQueue(pool, `ready ${statistics}`)
    for (const text of prepare) await pool.query(text)
    await fill(pool, { queueId, count: manyTasks })
    if (statistics === 'fresh') await pool.query('analyze tasks.task')
    for (const mode of ['force_custom_plan', 'force_generic_plan']) {
      await pool.query(`set plan_cache_mode = ${mode}`)
      for (const lease of [leaseTasks, leaseSteered]) await checkLease(queueId, lease)
    }
    await pool.query('reset plan_cache_mode')
  })

async function checkLease(queueId: number, lease: typeof leaseSteered): Promise<void> {
  const { pool, plansOf } = explained
  const running = async () =>
    (await pool.query('select count(*)::integer as count from tasks.task where queue_id = $1 and state = 3', [queueId]))
      .rows[0].count
  const before = await running()
  const plans = await plansOf(async () => equal((await lease(pool, queueId, null, slots(10))).length, 10))
  checkLeasePlan(plans, 10)
  equal(await running(), before + 10)
}

for (const { statistics, prepare } of situations)
  test(`of 20,000 running tasks ten are ended and extended by reading few pages, with statistics: ${statistics}`, async () => {
    const { pool, plansOf } = explained
    const queueId = await makeQueue(pool, `running ${statistics}`)
    for (const text of prepare) await pool.query(text)
    await fill(pool, { queueId, count: 20_000, state: RUNNING })
    if (statistics === 'fresh') await pool.query('analyze tasks.task')
    for (const mode of ['force_custom_plan', 'force_generic_plan']) {
      await pool.query(`set plan_cache_mode = ${mode}`)
      const { rows } = await pool.query('select project, id, attempt from tasks.task where state = 3 limit 20')
      const all = rows.map((row) => ({ ...row, sessionId: 1n, result: null }))
      const leases = all.splice(0, 10)
      for (const [verb, run] of [
        ['read', () => readTasks(pool, leases)],
        ['extend', async () => (await extendLeases(pool, leases, 1_000)).filter((one) => one !== undefined)],
        ['progress', async () => (await storeProgress(pool, leases)).filter((one) => one !== undefined)],
        ['complete', async () => all.slice((await completeTasks(pool, all)).refused.size)],
        ['settle', () => settleTasks(pool, leases.map(released), 5, quarantineError)],
      ] as const) {
        const pages = buffersOf(await plansOf(async () => equal((await run()).length, 10)))
        ok(pages < 400, `${verb}: ${pages} pages, ${mode}`)
      }
    }
    await pool.query('reset plan_cache_mode')
  })

test('a freed slot goes to one of 100,000 blocked tasks, whatever plans the planner may choose from', async () => {
  const { pool } = explained
  await pool.query('truncate tasks.task')
  const queueId = await makeQueue(pool, 'slots')
  await fill(pool, { queueId, count: manyTasks, isBlocked: true, concurrencyKey: `'k'` })
  await pool.query('update tasks.queue set concurrency_per_key = 3 where id = $1', [queueId])
  await pool.query(`select tasks.take_slots(array[$1::integer], array['k'], array[0])`, [queueId])
  const running = await leaseTasks(pool, queueId, null, slots(10))
  equal(running.length, 3)
  for (const off of ['', 'hashjoin hashagg', 'mergejoin sort hashjoin material', 'indexscan bitmapscan', 'nestloop']) {
    const settings = off.split(' ').filter((name) => name !== '')
    for (const name of settings) await pool.query(`set enable_${name} = off`)
    const { project, id, attempt } = running.pop()!
    await completeTasks(pool, [{ project, id, attempt, sessionId: 1n, result: null }])
    running.push(...(await leaseTasks(pool, queueId, null, slots(10))))
    equal(running.length, 3, off)
    for (const name of settings) await pool.query(`reset enable_${name}`)
  }
})

test('1,000,000 tasks blocked by their key cost the others no page', async () => {
  const { pool, plansOf } = explained
  await pool.query('truncate tasks.task')
  const queueId = await makeQueue(pool, 'head of line')
  await fill(pool, { queueId, count: 2_000, scheduleTime: `now() + interval '1 hour'` })
  await pool.query('analyze tasks.task')
  const lease = () => plansOf(() => leaseTasks(pool, queueId, null, slots(10)))
  await lease()
  const without = buffersOf(await lease())
  // All of them come before the others, by their time.
  await fill(pool, { queueId, count: blockedTasks, isBlocked: true, concurrencyKey: `'full'` })
  await lease()
  const plans = await lease()
  checkLeasePlan(plans, 10)
  const withThem = buffersOf(plans)
  ok(withThem <= without * 1.5 + 20, `${withThem} pages and not ${without}`)
})

test('a queue of 1,000,000 tasks is counted without counting', async () => {
  const { pool, plansOf } = explained
  const plans = await plansOf(() => readQueue(pool, 'plan', 'head of line'))
  deepEqual(sequentialScans(plans, /^task$/), [])
  const pages = buffersOf(plans)
  ok(pages < 100, `${pages} pages`)
})

test('dead tasks are found among 200,000 finished ones by their own index', async () => {
  const { pool, plansOf } = explained
  await pool.query('truncate tasks.task')
  const queueId = await makeQueue(pool, 'finished')
  await fillFinished(pool, queueId, 200_000, 'case when n % 2000 = 0 then 6 else 4 end')
  await pool.query('analyze tasks.finished_task')
  let found = 0
  const condition = compileFilter('state = DEAD')
  const plans = await plansOf(async () => {
    const page = await listTasks(pool, { project: 'plan', condition, isDescending: true, after: undefined, limit: 50 })
    found = page.length
  })
  equal(found, 50)
  deepEqual(withRows(sequentialScans(plans, /^finished_task/)), [])
  const pages = buffersOf(plans)
  ok(pages < 400, `${pages} pages`)
})

test('finished tasks are looked up in every partition by index only', async () => {
  const { pool, plansOf } = explained
  const { rows } = await pool.query('select project, id from tasks.finished_task limit 10')
  let found = 0
  const plans = await plansOf(async () => {
    found = (await readTasks(pool, rows)).length
  })
  equal(found, 10)
  deepEqual(withRows(sequentialScans(plans, /^(finished_task|task$)/)), [])
  const pages = buffersOf(plans)
  ok(pages < 400, `${pages} pages`)
})

test('a list of dead tasks does not look at those that wait', async () => {
  const { pool, plansOf } = explained
  await fill(pool, { queueId: await makeQueue(pool, 'waiting'), count: manyTasks })
  await pool.query('analyze tasks.task')
  const condition = compileFilter('state = DEAD')
  const plans = await plansOf(() =>
    listTasks(pool, { project: 'plan', condition, isDescending: true, after: undefined, limit: 50 }),
  )
  const pages = buffersOf(plans)
  ok(pages < 400, `${pages} pages`)
})

/** Reading a table that is empty from its beginning to its end is no scan. */
function withRows(scans: ReturnType<typeof sequentialScans>) {
  return scans.filter((node) => node['Shared Hit Blocks'] + node['Shared Read Blocks'] > 0)
}
