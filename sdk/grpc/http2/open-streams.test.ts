import { equal } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { OpenStreams } from './open-streams.ts'
import type { Http2Stream } from './stream.ts'

test('streams are found by number until they end, however long others last meanwhile', () => {
  const isEnding = fc.array(fc.nat({ max: 4 }), { minLength: 1, maxLength: 8 })
  fc.assert(
    fc.property(isEnding, fc.integer({ min: 1, max: 700 }), (pattern, count) => {
      const streams = new OpenStreams()
      const open = new Map<number, Http2Stream>()
      for (let turn = 0; turn < count; turn++) {
        // Only its number matters here.
        const stream = { id: 2 * turn + 1 } as Http2Stream
        streams.add(stream)
        open.set(stream.id, stream)
        // Some end at once, some later, and some stay.
        for (const back of pattern) {
          const id = 2 * (turn - back * back * 40) + 1
          equal(streams.delete(id), open.delete(id))
          equal(streams.get(id), undefined)
        }
      }
      equal(streams.size, open.size)
      equal(streams.all().length, open.size)
      for (const [id, stream] of open) equal(streams.get(id), stream)
    }),
    { numRuns: 20 },
  )
})
