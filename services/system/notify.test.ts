/** Who subscribes is told of each task that ends, signed, also when notifications is killed meanwhile. */
import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import { Webhook } from 'standardwebhooks'
import { until } from '@flowforge/runtime/testing/poll'
import { startReceiver, type Received } from './testing/receiver.ts'
import { startTestSystem } from './testing/test-system.ts'

const receiver = await startReceiver()
const system = await startTestSystem({ env: { FLOWFORGE_ALLOW_HOSTS: '127.0.0.1' } })
const { call, client } = system

/** Subscribes a path of the receiver to the ends of one queue's tasks. */
async function subscribe(id: string, states: string[] = []) {
  const body = { url: `${receiver.url}/${id}`, states, queues: [id] }
  const answer = await call('POST', `/v1/projects/default/subscriptions?subscriptionId=${id}`, body)
  equal(answer.status, 200, answer.text)
  const { name, secret } = answer.json<{ name: string; secret: string }>()
  return {
    webhook: new Webhook(secret),
    told: () => receiver.received.filter(({ path }) => path === `/${id}`),
    async deliveries() {
      const listed = await call('GET', `/v1/${name}/deliveries?pageSize=1000`)
      return listed.json<{ deliveries: { task: string; state: string; deliveryTask: string }[] }>().deliveries
    },
  }
}

/** Verifies a delivery as its receiver would, and answers the task that it tells of. */
function taskIn(webhook: Webhook, { body, headers }: Received): { name: string; state: string } {
  const event = webhook.verify(body, headers as Record<string, string>) as { data: { name: string; state: string } }
  return event.data
}

test('a task that ends is told once, signed, and the delivery is listed', async () => {
  const { webhook, told, deliveries } = await subscribe('one')
  const { name } = await client.createTask({ type: 'echo', queue: 'one' })
  await until(() => told().length > 0)
  const { name: toldName, state } = taskIn(webhook, told()[0]!)
  deepEqual([toldName, state], [name, 'TASK_STATE_SUCCEEDED'])
  const delivery = (await deliveries())[0]!
  deepEqual([delivery.task, delivery.state], [name, 'TASK_STATE_SUCCEEDED'])
  const carrier = (await Array.fromAsync(client.watchTask(delivery.deliveryTask))).at(-1)!
  equal(carrier.state, 'TASK_STATE_SUCCEEDED')
  deepEqual([carrier.type, told()[0]!.headers['webhook-id']], ['webhook.deliver', carrier.uid])
  equal(told().length, 1)
})

test('only the ends that were asked for are told', async () => {
  const { webhook, told } = await subscribe('dead', ['TASK_STATE_DEAD'])
  await client.createTask({ type: 'echo', queue: 'dead' })
  const dead = await client.createTask({ type: 'echo', queue: 'dead', payload: { fail: 'no', permanent: true } })
  await until(() => told().length > 0)
  deepEqual(
    told().map((one) => taskIn(webhook, one).name),
    [dead.name],
  )
})

test('a SIGKILL of notifications in the middle of 200 ends loses none of them', async (t) => {
  const { webhook, told, deliveries } = await subscribe('many')
  const task = (n: number) => ({ type: 'echo', queue: 'many', payload: { n, sleep_ms: (n % 10) * 20 } })
  const results = await client.batchCreateTasks(Array.from({ length: 200 }, (_, n) => task(n)))
  const names = results.map((result) => result.task!.name)
  await until(() => told().length >= 30, { deadlineMs: 20_000 })
  system.kill('notifications')
  const killedAt = performance.now()
  const toldNames = () => [...new Set(told().map((one) => taskIn(webhook, one).name))]
  await until(() => toldNames().length >= names.length, { deadlineMs: 30_000, everyMs: 50 })
  t.diagnostic(`all told ${Math.round(performance.now() - killedAt)} ms after the kill`)
  deepEqual(toldNames().sort(), names.sort())
  const listed = await deliveries()
  deepEqual(listed.map((one) => one.task).sort(), names)
  // A repeated delivery is possible, but then it is the same one: receivers tell by its id.
  equal(new Set(told().map(({ headers }) => headers['webhook-id'])).size, names.length)
  equal(system.messages.filter((line) => line.includes('notifications exited (SIGKILL)')).length, 1)
})
