import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Task } from '@flowforge/proto/flowforge/tasks/v1/task.ts'
import { emptyWriter } from '@flowforge/proto/writer'

const first = Task.fromPartial({ type: 'first', labels: { a: 'b' } })
const second = Task.fromPartial({ type: 'second', payload: { text: 'x'.repeat(1_000) } })
const bytesOf = (task: Task) => Task.encode(task).finish()
const read = (bytes: Uint8Array) => Task.decode(bytes)

test('a finished writer is the next message’s', () => {
  const writer = emptyWriter()
  writer.finish()
  assert.equal(emptyWriter(), writer)
})

test('what was encoded stays as it is when the next message is encoded', () => {
  const bytes = bytesOf(first)
  bytesOf(second)
  assert.deepEqual(read(bytes), first)
})

test('messages that are encoded at the same time do not mix', () => {
  const [one, other] = [Task.encode(first), Task.encode(second)]
  assert.deepEqual(read(other.finish()), second)
  assert.deepEqual(read(one.finish()), first)
})

test('a message that cannot be encoded leaves nothing in the next one', () => {
  assert.throws(() => Task.encode({ ...first, priority: 2 ** 40 }))
  assert.deepEqual(read(bytesOf(second)), second)
})

test('the writer of a large message is not kept', () => {
  const writer = emptyWriter()
  writer.bytes(new Uint8Array(100_000)).finish()
  assert.notEqual(emptyWriter(), writer)
})
