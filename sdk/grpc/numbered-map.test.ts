import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { NumberedMap } from './numbered-map.ts'

test('what is held is found under its text and its number, like in a Map of both', () => {
  // Few of them, whose ends are alike, so that they meet again and share chains.
  const key = fc.tuple(fc.constantFrom('', 'a', 'tasks/12345678', 'other/tasks/12345678', 'x12345678'), fc.nat(300))
  fc.assert(
    fc.property(fc.array(fc.tuple(key, fc.boolean()), { maxLength: 2_000 }), (steps) => {
      const map = new NumberedMap<number>()
      const expected = new Map<string, number>()
      for (const [at, [[text, number], isAdded]] of steps.entries()) {
        const name = `${number} ${text}`
        equal(map.get(text, number), expected.get(name))
        if (!isAdded) {
          equal(map.take(text, number), expected.get(name))
          expected.delete(name)
        } else if (!expected.has(name)) {
          map.add(text, number, at)
          expected.set(name, at)
        }
      }
      equal(map.size, expected.size)
      deepEqual(new Set(map.all()), new Set(expected.values()))
    }),
  )
})
