/** Kills real processes in the middle of real work. Nothing acknowledged may be lost, and nothing may finish twice. */
import { deepEqual, equal, ok } from 'node:assert/strict'
import { after, test, type TestContext } from 'node:test'
import type { TaskResource } from '@flowforge/sdk/client-resources'
import { until } from '@flowforge/runtime/testing/poll'
import { launch, type Launcher } from './testing/launcher.ts'
import { scratchFolder } from './testing/scratch-folder.ts'
import { submit, type Submissions } from './testing/submitters.ts'

const total = 1_000
const victims = ['worker-1', 'tasks', 'gateway', 'accounts', 'notifications', 'postgres']

test('what was acknowledged survives a SIGKILL of each process and then of all, and finishes once', async (t) => {
  const scratch = scratchFolder()
  after(() => scratch.remove())
  let launcher = await launch(scratch.path)
  t.after(() => launcher.interrupt())
  t.diagnostic(`first start: ready after ${seconds(launcher.readyMs)}`)

  const submissions = submit(
    () => launcher.client,
    total,
    (n) => ({
      type: 'echo',
      payload: { n, text: `payload ${n}`, sleep_ms: 20 + (n % 7) * 30 },
      requestId: `kill-${n}`,
      retryPolicy: { minBackoff: '0.1s' },
    }),
  )
  for (const [index, victim] of victims.entries()) {
    await acknowledgedAtLeast(submissions, (index + 1) * 120)
    await killOne(t, launcher, victim, submissions)
  }

  await acknowledgedAtLeast(submissions, 880)
  await launcher.killAll()
  const before = submissions.acknowledged.size
  launcher = await launch(scratch.path)
  t.diagnostic(`all killed after ${before} acknowledgements; the next start: ready after ${seconds(launcher.readyMs)}`)

  await submissions.all
  await until(async () => (await unfinished(launcher)) === 0, { deadlineMs: 60_000, everyMs: 100 })
  t.diagnostic(`tries that a caller saw fail meanwhile: ${JSON.stringify(Object.fromEntries(submissions.refusals))}`)

  const tasks = await Array.fromAsync(launcher.client.listTasks({ pageSize: 200 }))
  await t.test('an outage is never told as anything but an outage', () => {
    const told = [...submissions.refusals.keys()].filter((it) => it !== 'UNAVAILABLE' && it !== 'DEADLINE_EXCEEDED')
    deepEqual(told, [])
  })
  await t.test('each acknowledged task is there once, and no other is', () => {
    equal(submissions.acknowledged.size, total)
    equal(tasks.length, total)
    const acknowledged = [...submissions.acknowledged.values()].map(({ name }) => name)
    deepEqual(tasks.map(({ name }) => name).sort(), acknowledged.sort())
  })
  await t.test('each task succeeded with its own result', () => {
    const taskOf = new Map(tasks.map((task) => [task.name, task]))
    for (const [n, { name }] of submissions.acknowledged) {
      const { state, result } = taskOf.get(name)!
      deepEqual([name, state, result?.n], [name, 'TASK_STATE_SUCCEEDED', n])
    }
  })
  await t.test('each task finished by one attempt, its last, and earlier ones were lost or given back', () => {
    const wrong = tasks.flatMap((task) => violation(task) ?? [])
    deepEqual(wrong, [])
  })
  const waits = tasks.flatMap(waitsOf)
  t.diagnostic(
    `${waits.length} attempts were interrupted; the next one began at most ${seconds(Math.max(...waits))} later`,
  )
  ok(waits.length > 0, 'no kill ever hit a running task')
})

/** Kills a process and waits until the launcher has started it again and submissions go through again. */
async function killOne(t: TestContext, launcher: Launcher, victim: string, { acknowledged }: Submissions) {
  const pid = launcher.pids()[victim]!
  const killedAt = performance.now()
  process.kill(pid, 'SIGKILL')
  await until(() => launcher.messages.some((line) => line.includes(`${victim} exited (SIGKILL)`)))
  await until(() => launcher.pids()[victim] !== pid)
  const isAnswered = () => [...acknowledged.values()].some(({ askedAtMs }) => askedAtMs > killedAt)
  await until(isAnswered, { deadlineMs: 30_000 })
  t.diagnostic(
    `${victim} killed: a task handed in after that was acknowledged ${seconds(performance.now() - killedAt)} later`,
  )
}

function violation({ name, attempts = [] }: TaskResource): string | undefined {
  const numbers = attempts.map(({ number }) => number)
  const outcomes = attempts.map(({ outcome }) => outcome?.replace('ATTEMPT_OUTCOME_', ''))
  const isNumbered = numbers.every((number, index) => number === index + 1)
  const isFinishedOnce = outcomes.indexOf('SUCCEEDED') === outcomes.length - 1
  const isInterrupted = outcomes.slice(0, -1).every((outcome) => outcome === 'LOST' || outcome === 'RELEASED')
  return isNumbered && isFinishedOnce && isInterrupted ? undefined : `${name}: ${numbers.join()} ${outcomes.join()}`
}

/** From the start of each interrupted attempt to the start of the next. */
function waitsOf({ attempts = [] }: TaskResource): number[] {
  const starts = attempts.map(({ startTime }) => Date.parse(startTime!))
  return starts.slice(1).map((start, index) => start - starts[index]!)
}

async function acknowledgedAtLeast({ acknowledged, all }: Submissions, count: number): Promise<void> {
  await Promise.race([all, until(() => acknowledged.size >= count, { deadlineMs: 60_000 })])
}

async function unfinished({ client }: Launcher): Promise<number> {
  const filter = 'state = SCHEDULED OR state = READY OR state = RUNNING'
  const { value } = await client.listTasks({ filter, pageSize: 1 }).pages().next()
  return value?.items.length ?? 0
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(2)} s`
}
