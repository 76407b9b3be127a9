import { deepEqual, equal, rejects } from 'node:assert/strict'
import { test } from 'node:test'
import { Batch } from './batch.ts'

/** Flushes that wait until they are let go, the oldest first, and record what they were given. */
function setup(options: { itemsMax?: number; waitingMax?: number; bytesMax?: number } = {}) {
  const flushed: number[][] = []
  const parked: (() => void)[] = []
  const batch = new Batch<number, string>({
    async flush(items) {
      flushed.push(items)
      await new Promise<void>((resolve) => parked.push(resolve))
      return items.map((item) => (item < 0 ? new Error(`no ${item}`) : `did ${item}`))
    },
    itemsMax: 100,
    waitingMax: 1000,
    bytesOf: (item) => item,
    ...options,
  })
  const turn = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
  return { batch, flushed, turn, letGo: () => parked.shift()?.() }
}

test('what arrives while two flushes are in flight goes together in the next one', async () => {
  const { batch, flushed, turn, letGo } = setup()
  const results = [batch.add(1)]
  await turn()
  results.push(batch.add(2))
  await turn()
  results.push(batch.add(3), batch.add(4))
  await turn()
  deepEqual(flushed, [[1], [2]])
  letGo()
  await turn()
  letGo()
  letGo()
  deepEqual(await Promise.all(results), ['did 1', 'did 2', 'did 3', 'did 4'])
  deepEqual(flushed, [[1], [2], [3, 4]])
})

test('each item gets its own result or error', async () => {
  const { batch, turn, letGo } = setup()
  const good = batch.add(1)
  const bad = batch.add(-1)
  await turn()
  letGo()
  equal(await good, 'did 1')
  await rejects(bad, /no -1/)
})

test('a flush is bounded in items and in bytes, but takes one item of any size', async () => {
  const { batch, flushed, turn, letGo } = setup({ itemsMax: 2, bytesMax: 10 })
  const all = Promise.all([50, 1, 2, 3, 4].map((item) => batch.add(item)))
  for (let i = 0; i < 4; i++) {
    await turn()
    letGo()
  }
  await all
  deepEqual(flushed, [[50], [1, 2], [3, 4]])
})

test('more than may wait is refused at once', async () => {
  const { batch, turn, letGo } = setup({ waitingMax: 1 })
  const first = batch.add(1)
  await rejects(batch.add(2), { reason: 'OVERLOADED' })
  await turn()
  letGo()
  await first
})

test('an item that the database cannot take does not fail its neighbours', async () => {
  const poison = Object.assign(new Error('invalid byte sequence'), { code: '22021', severity: 'ERROR' })
  const batch = new Batch<number, number>({
    flush: (items) => (items.includes(13) ? Promise.reject(poison) : Promise.resolve(items)),
    itemsMax: 100,
    waitingMax: 100,
  })
  const results = await Promise.allSettled([11, 12, 13, 14].map((item) => batch.add(item)))
  deepEqual(
    results.map((result) => result.status),
    ['fulfilled', 'fulfilled', 'rejected', 'fulfilled'],
  )
})

test('a flush that lost against another transaction is tried again', async () => {
  let tries = 0
  const deadlock = Object.assign(new Error('deadlock detected'), { code: '40P01', severity: 'ERROR' })
  const batch = new Batch<number, number>({
    flush: (items) => (++tries < 3 ? Promise.reject(deadlock) : Promise.resolve(items)),
    itemsMax: 100,
    waitingMax: 100,
  })
  equal(await batch.add(1), 1)
})

test('what waits can go with another statement, or wait again, in its order', async () => {
  const { batch, flushed, turn, letGo } = setup({ itemsMax: 2 })
  const results = [1, 2, 3].map((item) => batch.add(item))
  const along = batch.passengers()!
  deepEqual(along.items, [1, 2])
  along.settle(['went 1', new Error('lost 2')])
  equal(await results[0], 'went 1')
  await rejects(results[1]!, /lost 2/)
  batch.passengers()!.giveBack()
  await turn()
  deepEqual(flushed, [[3]])
  letGo()
  equal(await results[2], 'did 3')
  equal(batch.passengers(), undefined)
})
