/** The worker's processes against the real tasks service's, over mTLS: what a peer made for a test cannot show. */
import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { after, test, type TestContext } from 'node:test'
import { AttemptOutcome, Task, TaskState } from '@flowforge/proto/flowforge/tasks/v1/task.ts'
import { TaskServiceClient } from '@flowforge/proto/flowforge/tasks/v1/task_service.ts'
import { freePort } from '@flowforge/local/free-port'
import { client, dial } from '@flowforge/runtime/client'
import { testCertificates } from '@flowforge/runtime/testing/certificates'
import { createTestDatabase } from '@flowforge/runtime/testing/database'
import { quietLog } from '@flowforge/runtime/testing/log'
import { until } from '@flowforge/runtime/testing/poll'
import { startHttpServer } from './testing/http-server.ts'

const services = join(import.meta.dirname, '..')
const certificates = testCertificates()
const operator = certificates.workloadOf('operator')
const started = new Set<ChildProcess>()
after(() => {
  operator.close()
  for (const child of started) child.kill('SIGKILL')
})

function spawnService(component: 'tasks' | 'worker', env: Record<string, string>): ChildProcess {
  const { PATH } = process.env
  const FLOWFORGE_CERTIFICATES = certificates.folderFor(component)
  const child = spawn(process.execPath, [join(services, component, 'main.ts')], {
    env: { PATH, FLOWFORGE_CERTIFICATES, FLOWFORGE_ADMIN_LISTEN: '127.0.0.1:0', FLOWFORGE_LOG_LEVEL: 'warn', ...env },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  started.add(child)
  return child
}

async function setup(t: TestContext) {
  const database = await createTestDatabase({ component: 'tasks', folder: join(services, 'tasks/schema') })
  const address = `127.0.0.1:${await freePort()}`
  const startTasks = () => spawnService('tasks', { FLOWFORGE_LISTEN: address, FLOWFORGE_DATABASE_URL: database.url })
  const startWorker = () =>
    spawnService('worker', { FLOWFORGE_TASKS_ADDRESS: address, FLOWFORGE_ALLOW_HOSTS: '127.0.0.1' })
  const tasksProcess = startTasks()
  const channel = dial({ address, component: 'tasks', workload: operator, log: quietLog })
  t.after(async () => {
    channel.close()
    const children = [...started]
    started.clear()
    await Promise.all(children.map((child) => end(child, 'SIGKILL')))
  })
  const api = client(TaskServiceClient, channel)
  const get = (name: string) => api.getTask({ name })
  const create = (task: Partial<Task>) =>
    until(() => api.createTask({ parent: 'projects/default', task: Task.fromPartial(task), requestId: '' }), {
      deadlineMs: 20_000,
    })
  const reaches = (name: string, state: TaskState, deadlineMs = 20_000) =>
    until(
      async () => {
        const task = await get(name)
        return task.state === state ? task : undefined
      },
      { deadlineMs },
    )
  return { tasksProcess, startTasks, startWorker, api, create, reaches }
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode
  child.kill(signal)
  await once(child, 'exit')
  return child.exitCode
}

const outcomes = ({ attempts }: Task) => attempts.map(({ outcome }) => outcome)

test('each built-in type runs, and its outcome is kept', { timeout: 60_000 }, async (t) => {
  const { startWorker, create, reaches } = await setup(t)
  startWorker()
  const receiver = await startHttpServer(t, (_, response) => response.end('thanks'))
  const { url } = receiver

  const echo = await create({ type: 'echo', payload: { a: [1, null, { b: 'ü' }] } })
  deepEqual((await reaches(echo.name, TaskState.TASK_STATE_SUCCEEDED)).result, { a: [1, null, { b: 'ü' }] })

  const request = await create({ type: 'http.request', payload: { url } })
  equal((await reaches(request.name, TaskState.TASK_STATE_SUCCEEDED)).result?.['body'], 'thanks')

  const webhook = await create({ type: 'webhook.deliver', payload: { url, body_text: '{ "exact" : 1.0 }' } })
  await reaches(webhook.name, TaskState.TASK_STATE_SUCCEEDED)
  const delivered = receiver.received.at(-1)
  deepEqual([delivered?.headers['webhook-id'], delivered?.body.toString()], [webhook.uid, '{ "exact" : 1.0 }'])

  const email = await create({ type: 'email.send', payload: { from: 'a@example.com', to: 'b@example.com' } })
  match((await reaches(email.name, TaskState.TASK_STATE_DEAD)).error?.message ?? '', /FLOWFORGE_SMTP_URL/)

  const inside = await create({ type: 'http.request', payload: { url: 'http://169.254.169.254/latest/meta-data' } })
  match((await reaches(inside.name, TaskState.TASK_STATE_DEAD)).error?.message ?? '', /not public/)
})

test('a running attempt survives the tasks service being killed and started again', { timeout: 60_000 }, async (t) => {
  const { tasksProcess, startTasks, startWorker, create, reaches } = await setup(t)
  startWorker()
  const task = await create({ type: 'echo', payload: { sleep_ms: 3_000 } })
  await reaches(task.name, TaskState.TASK_STATE_RUNNING)
  await end(tasksProcess, 'SIGKILL')
  startTasks()
  const done = await reaches(task.name, TaskState.TASK_STATE_SUCCEEDED)
  deepEqual(outcomes(done), [AttemptOutcome.ATTEMPT_OUTCOME_SUCCEEDED])
})

test('cancelling a running task stops its handler within a second', { timeout: 60_000 }, async (t) => {
  const { startWorker, api, create, reaches } = await setup(t)
  startWorker()
  const { name } = await create({ type: 'echo', payload: { sleep_ms: 60_000 } })
  await reaches(name, TaskState.TASK_STATE_RUNNING)
  const askedAt = performance.now()
  await api.cancelTask({ name, etag: '' })
  await reaches(name, TaskState.TASK_STATE_CANCELLED)
  ok(performance.now() - askedAt < 1_000)
})

test(
  'a worker told to stop gives back what does not finish in time, and another runs it',
  { timeout: 60_000 },
  async (t) => {
    const { startWorker, create, reaches } = await setup(t)
    const first = startWorker()
    const { name } = await create({ type: 'echo', payload: { sleep_ms: 6_000 } })
    await reaches(name, TaskState.TASK_STATE_RUNNING)
    startWorker()
    equal(await end(first, 'SIGTERM'), 0)
    const done = await reaches(name, TaskState.TASK_STATE_SUCCEEDED)
    deepEqual(outcomes(done), [AttemptOutcome.ATTEMPT_OUTCOME_RELEASED, AttemptOutcome.ATTEMPT_OUTCOME_SUCCEEDED])
  },
)

test('the task of a killed worker is run by another', { timeout: 60_000 }, async (t) => {
  const { startWorker, create, reaches } = await setup(t)
  const first = startWorker()
  const { name } = await create({ type: 'echo', payload: { sleep_ms: 1_000 } })
  await reaches(name, TaskState.TASK_STATE_RUNNING)
  startWorker()
  await end(first, 'SIGKILL')
  const done = await reaches(name, TaskState.TASK_STATE_SUCCEEDED)
  deepEqual(outcomes(done), [AttemptOutcome.ATTEMPT_OUTCOME_LOST, AttemptOutcome.ATTEMPT_OUTCOME_SUCCEEDED])
})
