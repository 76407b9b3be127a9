import { deepEqual, equal, ok } from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Schedule } from '@flowforge/proto/flowforge/tasks/v1/schedule_service.ts'
import type { Task } from '@flowforge/proto/flowforge/tasks/v1/task.ts'
import { LeaseTasksRequest } from '@flowforge/proto/flowforge/tasks/v1/worker_service.ts'
import { until } from '@flowforge/runtime/testing/poll'
import { rejectsWith } from '../testing/rejects-with.ts'
import { startTestTasks, type TestTasks } from '../testing/tasks-service.ts'
import { fireSchedules } from '../upkeep/fire-schedules.ts'

const hourMs = 3_600_000
const ONCE = 1
const SKIP_MISSED = 2
const FIRE_ALL = 3
const SKIP_OVERLAP = 2
const CANCEL_PREVIOUS = 3

let service: TestTasks
before(async () => {
  service = await startTestTasks()
})
after(() => service.stop())

/** Each test has a project of its own, with a schedule `s` that is due far in the future unless it is made to miss times. */
function setup(t: { name: string }) {
  const parent = `projects/${t.name.replace(/[^a-z]+/g, '-').slice(0, 60)}`
  const name = `${parent}/schedules/s`
  const templateOf = (schedule: Parameters<typeof Schedule.fromPartial>[0]) =>
    Schedule.fromPartial({ cron: '0 * * * *', task: { type: 'echo' }, ...schedule })
  /** As if nothing had fired for so many hours, of which nobody is told; answers with the first time that was missed. */
  const missHours = async (hours: number, id = 's'): Promise<Date> => {
    const { rows } = await service.pool.query(
      `update tasks.schedule set next_fire_time = date_trunc('hour', tasks.now(), 'UTC') - make_interval(hours => $3)
       where project = $1 and id = $2 returning next_fire_time as first`,
      [parent.slice('projects/'.length), id, hours - 1],
    )
    return rows[0].first
  }
  return {
    parent,
    name,
    missHours,
    create: (schedule: Parameters<typeof Schedule.fromPartial>[0] = {}, scheduleId = 's') =>
      service.schedules.createSchedule({ parent, scheduleId, schedule: templateOf(schedule) }),
    get: () => service.schedules.getSchedule({ name }),
    update: (schedule: Parameters<typeof Schedule.fromPartial>[0], updateMask?: string[]) =>
      service.schedules.updateSchedule({ schedule: Schedule.fromPartial({ name, ...schedule }), updateMask }),
    /** Nothing fired for so many hours; now it does. Answers with the fire times that were missed. */
    async fireAfterHours(hours: number, id?: string) {
      const first = await missHours(hours, id)
      await fireSchedules(service.engine)
      // If the service itself was at it, it is not done yet.
      const due = `select from tasks.schedule where next_fire_time <= tasks.now()`
      await until(async () => (await service.pool.query(due)).rowCount === 0)
      return Array.from({ length: hours }, (_, n) => new Date(first.getTime() + n * hourMs))
    },
    backfill: (startTime: Date | undefined, endTime: Date | undefined) =>
      service.schedules.backfillSchedule({ name, startTime, endTime }),
    /** Oldest first. */
    async tasks() {
      const request = { parent, pageSize: 1000, pageToken: '', filter: '', orderBy: 'create_time' }
      return (await service.tasks.listTasks(request)).tasks
    },
  }
}

/** The fire time that a task stands for. */
const fireTimeOf = (task: Task) => new Date(Number(task.requestId.split('-').at(-1)))

test('a schedule has the policies that it was given, or the defaults by name', async (t) => {
  const { create, update } = setup(t)
  const created = await create()
  deepEqual([created.missedFirePolicy, created.overlapPolicy, created.jitter], [ONCE, 1, undefined])
  const jitter = { seconds: 90n, nanos: 0 }
  const changed = await update({ missedFirePolicy: FIRE_ALL, overlapPolicy: SKIP_OVERLAP, jitter })
  deepEqual([changed.missedFirePolicy, changed.overlapPolicy, changed.jitter], [FIRE_ALL, SKIP_OVERLAP, jitter])
  deepEqual([changed.cron, changed.nextFireTime], [created.cron, created.nextFireTime])
  const reset = await update({}, ['jitter', 'overlap_policy'])
  deepEqual([reset.missedFirePolicy, reset.overlapPolicy, reset.jitter], [FIRE_ALL, 1, undefined])
})

test('the secret that signs the webhooks of a schedule is for workers alone, and outlives changes of anything but the URL', async (t) => {
  const { create, get, update, parent, name } = setup(t)
  const url = 'https://example.com/'
  const secret = 'whsec_c2VjcmV0'
  const created = await create({ task: { type: 'webhook.deliver', queue: 'signed', payload: { url, secret } } })
  const { schedules } = await service.schedules.listSchedules({ parent, pageSize: 0, pageToken: '' })
  const ran = await service.schedules.runSchedule({ name })
  for (const task of [created.task, (await get()).task, schedules[0]!.task, ran]) deepEqual(task?.payload, { url })
  // The secret that a worker gets for the run that is asked for now.
  const leasedSecret = async () => {
    await service.schedules.runSchedule({ name })
    const request = LeaseTasksRequest.fromPartial({ parent, queues: ['signed'], worker: 'w', maxTasks: 10 })
    return (await service.workers.leaseTasks(request)).tasks.at(-1)?.task?.payload?.['secret']
  }
  equal(await leasedSecret(), secret)
  const task = { ...(await get()).task!, labels: { a: 'b' } }
  deepEqual((await update({ task })).task?.payload, { url })
  equal(await leasedSecret(), secret)
  await update({ task: { ...task, payload: { url: 'https://example.org/' } } })
  equal(await leasedSecret(), undefined)
})

test('a schedule that breaks rules is refused with every violation at once', async (t) => {
  const { create } = setup(t)
  const call = create({
    cron: '99 * * * *',
    timeZone: 'Mars/Olympus',
    missedFirePolicy: 9 as never,
    overlapPolicy: -1 as never,
    jitter: { seconds: 3601n, nanos: 0 },
  })
  const { details } = await rejectsWith('INVALID_ARGUMENT', call)
  deepEqual(
    details.flatMap((detail) =>
      detail.type === 'google.rpc.BadRequest' ? detail.value.fieldViolations.map(({ field }) => field) : [],
    ),
    ['schedule.time_zone', 'schedule.missed_fire_policy', 'schedule.overlap_policy', 'schedule.jitter'],
  )
  await rejectsWith('INVALID_ARGUMENT', create({ cron: '99 * * * *' }))
})

test('FIRE_ONCE makes up for all missed times by one task, for the last of them', async (t) => {
  const { create, fireAfterHours, tasks, get } = setup(t)
  await create({ missedFirePolicy: ONCE })
  const missed = await fireAfterHours(5)
  const created = await tasks()
  deepEqual(created.map(fireTimeOf), [missed.at(-1)])
  const schedule = await get()
  deepEqual([schedule.lastFireTime, schedule.lastTask], [missed.at(-1), created[0]!.name])
  ok(schedule.nextFireTime! > schedule.lastFireTime!)
})

test('a schedule that is due fires, though the service was not told that it is', async (t) => {
  const { create, missHours, tasks } = setup(t)
  await create({ missedFirePolicy: FIRE_ALL })
  // The creation itself may make the service look in time for the first, but not for the second.
  for (const hours of [1, 2]) {
    await missHours(hours)
    ok(await until(async () => (await tasks()).length >= hours))
  }
})

test('SKIP forgets missed times, but for those less than a minute ago', async (t) => {
  const { create, fireAfterHours, tasks, get } = setup(t)
  const { nextFireTime } = await create({ cron: '0 0 1 1 *', missedFirePolicy: SKIP_MISSED })
  await fireAfterHours(30 * 24)
  deepEqual(await tasks(), [])
  deepEqual((await get()).nextFireTime, nextFireTime)
  equal((await get()).lastFireTime, undefined)
  await service.schedules.updateSchedule({
    schedule: Schedule.fromPartial({ name: (await get()).name, cron: '* * * * * *' }),
    updateMask: undefined,
  })
  await fireAfterHours(3)
  // By when it was created, however long the test then waited to see it.
  const late = (await tasks()).map((task) => task.createTime!.getTime() - fireTimeOf(task).getTime())
  ok(late.length > 50 && late.every((ms) => ms < 65_000), `${late.length} tasks`)
  await service.schedules.deleteSchedule({ name: (await get()).name })
})

test('FIRE_ALL gives each missed time its task, oldest first, and no more than the last hundred', async (t) => {
  const { create, fireAfterHours, tasks } = setup(t)
  await create({ missedFirePolicy: FIRE_ALL })
  const missed = await fireAfterHours(103)
  deepEqual((await tasks()).map(fireTimeOf), missed.slice(-100))
})

test('several instances that fire at once fire each time once', async (t) => {
  const { create, fireAfterHours, tasks } = setup(t)
  const other = await startTestTasks({ database: service.database })
  t.after(() => other.stop())
  await create({ missedFirePolicy: FIRE_ALL, overlapPolicy: SKIP_OVERLAP })
  await Promise.all([
    fireAfterHours(4),
    ...Array.from({ length: 6 }, (_, n) => fireSchedules((n % 2 ? service : other).engine)),
  ])
  equal((await tasks()).length, 1)
})

test('a process that dies before it moved the schedule on does not make it fire twice', async (t) => {
  const { create, fireAfterHours, tasks } = setup(t)
  await create({ missedFirePolicy: FIRE_ALL })
  await fireAfterHours(3)
  await fireAfterHours(3)
  equal((await tasks()).length, 3)
})

test('overlap SKIP creates nothing while the last task has not finished', async (t) => {
  const { create, fireAfterHours, tasks, get } = setup(t)
  await create({ overlapPolicy: SKIP_OVERLAP })
  await fireAfterHours(3)
  const { lastFireTime, lastTask } = await get()
  await service.pool.query(`delete from tasks.request`)
  await fireAfterHours(1)
  equal((await tasks()).length, 1)
  deepEqual([(await get()).lastFireTime, (await get()).lastTask], [lastFireTime, lastTask])
  ok((await get()).nextFireTime! > new Date())
  await service.tasks.cancelTask({ name: lastTask, etag: '' })
  await fireAfterHours(1)
  equal((await tasks()).length, 2)
})

test('overlap CANCEL_PREVIOUS cancels the last task and creates another', async (t) => {
  const { create, fireAfterHours, tasks, parent } = setup(t)
  await create({ overlapPolicy: CANCEL_PREVIOUS, missedFirePolicy: FIRE_ALL })
  await fireAfterHours(2)
  deepEqual(
    (await tasks()).map((task) => task.state),
    [5, 2],
  )
  await service.workers.leaseTasks(LeaseTasksRequest.fromPartial({ parent, worker: 'w' }))
  await service.pool.query(`delete from tasks.request`)
  await fireAfterHours(1)
  deepEqual(
    (await tasks()).map((task) => [task.state, task.cancelRequested]),
    [
      [5, false],
      [3, true],
      [2, false],
    ],
  )
})

test('a schedule whose task is refused moves on and blocks no other', async (t) => {
  const { create, fireAfterHours, tasks, get, parent } = setup(t)
  await create()
  await create({}, 'bad')
  await service.pool.query(`update tasks.schedule set template = '' where project = $1 and id = 'bad'`, [
    parent.slice('projects/'.length),
  ])
  await fireAfterHours(1, 'bad')
  await fireAfterHours(1)
  equal((await tasks()).length, 1)
  const bad = await service.schedules.getSchedule({ name: (await get()).name.replace(/s$/, 'bad') })
  ok(bad.nextFireTime! > new Date())
  deepEqual([bad.lastTask, bad.lastFireTime], ['', undefined])
})

test('jitter delays each task by a time of its own, the same whoever asks', async (t) => {
  const { create, backfill, tasks } = setup(t)
  await create({ jitter: { seconds: 3600n, nanos: 0 } })
  const start = new Date(Math.ceil(Date.now() / hourMs) * hourMs + hourMs)
  await backfill(start, new Date(start.getTime() + 20 * hourMs))
  const waits = (await tasks()).map((task) => task.scheduleTime!.getTime() - fireTimeOf(task).getTime())
  equal(waits.length, 20)
  ok(waits.every((ms) => ms >= 0 && ms <= hourMs))
  ok(new Set(waits).size > 15, 'they differ')
  await backfill(start, new Date(start.getTime() + 20 * hourMs))
  equal((await tasks()).length, 20)
})

test('backfill creates the tasks of all times of a stretch, its end excluded, once', async (t) => {
  const { create, backfill, tasks, update, get } = setup(t)
  await create({ timeZone: 'Europe/Berlin', cron: '0 2 * * *' })
  const stretch = [new Date('2026-03-27T01:00:00Z'), new Date('2026-03-31T00:00:00Z')] as const
  const { tasks: names } = await backfill(...stretch)
  const created = await tasks()
  deepEqual(
    names,
    created.map((task) => task.name),
  )
  deepEqual(
    created.map((task) => fireTimeOf(task).toISOString()),
    ['2026-03-27T01:00:00.000Z', '2026-03-28T01:00:00.000Z', '2026-03-29T01:00:00.000Z', '2026-03-30T00:00:00.000Z'],
  )
  await update({ task: { type: 'other' } })
  deepEqual((await backfill(...stretch)).tasks, names, 'even if the template has changed')
  equal((await get()).lastTask, '')
})

test('a time that was backfilled ahead does not fire again when it comes', async (t) => {
  const { create, backfill, fireAfterHours, tasks } = setup(t)
  await create({ missedFirePolicy: FIRE_ALL })
  const now = Date.now()
  await backfill(new Date(now - 2 * hourMs), new Date(now))
  await fireAfterHours(2)
  equal((await tasks()).length, 2)
})

test('backfill of too much, of nothing or of no schedule is refused', async (t) => {
  const { create, backfill } = setup(t)
  await rejectsWith('NOT_FOUND', backfill(new Date(0), new Date(1)))
  await create()
  await rejectsWith('INVALID_ARGUMENT', backfill(new Date(0), undefined))
  await rejectsWith('INVALID_ARGUMENT', backfill(new Date(1), new Date(1)))
  await rejectsWith('INVALID_ARGUMENT', backfill(new Date(0), new Date(1000 * hourMs + 1)))
  equal((await backfill(new Date(0), new Date(1000 * hourMs))).tasks.length, 1000)
})

test('a schedule can be run now as often as asked, beside its times, and tells the last run', async (t) => {
  const { create, name, tasks, get } = setup(t)
  await create({ overlapPolicy: SKIP_OVERLAP })
  await service.schedules.runSchedule({ name })
  const last = await service.schedules.runSchedule({ name })
  equal((await tasks()).length, 2)
  equal((await get()).lastTask, last.name)
})

test('a paused schedule does not fire, and does not make up for it', async (t) => {
  const { create, name, tasks, get } = setup(t)
  await create({ missedFirePolicy: FIRE_ALL })
  equal((await service.schedules.pauseSchedule({ name })).nextFireTime, undefined)
  await fireSchedules(service.engine)
  await service.schedules.resumeSchedule({ name })
  await fireSchedules(service.engine)
  deepEqual(await tasks(), [])
  ok((await get()).nextFireTime! > new Date())
})
