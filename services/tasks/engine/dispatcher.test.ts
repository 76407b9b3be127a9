import { deepEqual } from 'node:assert/strict'
import { test } from 'node:test'
import { createLogger } from '@flowforge/runtime/log'
import { Dispatcher, type Taker } from './dispatcher.ts'

function takerOf(type: string, sessionId: bigint): Taker {
  return {
    sessionId,
    worker: type,
    project: undefined,
    queues: new Set(),
    types: [type],
    room: 1,
    isSilent: () => false,
    leaseMs: null,
    give: () => undefined,
    doubt: () => undefined,
  }
}

/** Serves three workers of different types one after another, in any order; one leaves while the first is served. */
async function leasedForGone(): Promise<bigint[]> {
  const takers = new Map(['a', 'b', 'c'].map((type, i) => [type, takerOf(type, BigInt(i))]))
  let left: { sessionId: bigint; gone: Promise<void> } | undefined
  const leasedFor: bigint[] = []
  const dispatcher = new Dispatcher({
    lease: async (_queueId, types, slots) => {
      if (left) {
        await left.gone
        leasedFor.push(...slots.map(({ sessionId }) => sessionId))
      } else {
        const leaving = takers.values().find((taker) => taker.types[0] !== types![0])!
        left = { sessionId: leaving.sessionId, gone: dispatcher.remove(leaving) }
      }
      return []
    },
    queueById: async () => ({ project: 'p', name: 'q' }),
    giveBack: () => undefined,
    log: createLogger('tasks', 'error'),
  })
  for (const taker of takers.values()) dispatcher.add(taker)
  dispatcher.mark([1])
  await dispatcher.idle()
  return leasedFor.filter((sessionId) => sessionId === left!.sessionId)
}

test('nothing is leased for a worker that has gone while those of other types were served', async () => {
  for (let n = 0; n < 50; n++) deepEqual(await leasedForGone(), [])
})
