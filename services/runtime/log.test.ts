import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import { recordingLog } from './testing/log.ts'

test('secrets and payloads are not written, wherever they stand', () => {
  const { log, lines } = recordingLog()
  log.info({ authorization: 'Bearer ff_x', request: { secret: 's', payload: { card: 4 }, name: 'projects/p' } }, 'call')
  deepEqual(
    [lines[0]?.authorization, lines[0]?.request],
    ['[redacted]', { secret: '[redacted]', payload: '[redacted]', name: 'projects/p' }],
  )
})

test('a line names its component and its level in words, and no trace while there is none', () => {
  const { log, lines } = recordingLog()
  log.warn('hello')
  deepEqual([lines[0]?.component, lines[0]?.level, lines[0]?.msg], ['test', 'warn', 'hello'])
  equal('trace_id' in lines[0]!, false)
})
