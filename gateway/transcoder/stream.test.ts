import { deepEqual, equal, throws } from 'node:assert/strict'
import { test } from 'node:test'
import { status } from '@grpc/grpc-js'
import { compileResume } from './resume.ts'
import { exampleRegistry } from './testing/example.ts'
import { errorWithDetails, startExample, type Example } from './testing/server.ts'

const watch = '/v1/shelves/1/books/2:watch'
const events = { accept: 'text/event-stream' }
const resume = () => ({ id: 'author.full_name', last: 'book_id' })

async function read(example: Example, path: string, headers: Record<string, string> = {}) {
  const answer = await fetch(example.url + path, { headers })
  return { type: answer.headers.get('content-type'), text: await answer.text() }
}

test('a stream is a JSON array for whoever asks with $alt=json, and its error is the last item', async (t) => {
  const example = await startExample(t)
  example.onStream = (stream, write) => {
    write({ title: 'a' })
    write({ title: 'b' })
    stream.emit('error', errorWithDetails(status.ABORTED, 'enough', []))
  }
  const { type, text } = await read(example, `${watch}?$alt=json%3Benum-encoding=int`)
  equal(type, 'application/json')
  const error = { code: 409, message: 'enough', status: 'ABORTED', details: [] }
  deepEqual(JSON.parse(text), [{ title: 'a' }, { title: 'b' }, { error }])
})

test('a stream without a message is an empty array', async (t) => {
  equal((await read(await startExample(t), `${watch}?$alt=json`)).text, '[]')
})

test('$alt=sse asks for events like the header does', async (t) => {
  equal((await read(await startExample(t), `${watch}?$alt=sse`)).type, 'text/event-stream')
})

test('an event has the ID that its message holds, and Last-Event-ID asks for what came after it', async (t) => {
  const example = await startExample(t, { resume })
  example.onStream = (stream, write) => {
    write({ title: 'a', author: { birthYear: 1900, fullName: 'third' } })
    write({ title: 'b' })
    stream.end()
  }
  const { text } = await read(example, watch, { ...events, 'last-event-id': 'second' })
  const author = '"author":{"fullName":"third","birthYear":1900}'
  equal(text, `id: third\ndata: {"title":"a",${author}}\n\nid: \ndata: {"title":"b"}\n\nevent: end\ndata: {}\n\n`)
  deepEqual(example.seen.at(-1)!.request, { name: 'shelves/1/books/2', bookId: 'second' })
})

test('what the request says itself was seen last counts more than the header', async (t) => {
  const example = await startExample(t, { resume })
  await read(example, `${watch}?book_id=mine`, { ...events, 'last-event-id': 'second' })
  deepEqual(example.seen.at(-1)!.request, { name: 'shelves/1/books/2', bookId: 'mine' })
})

test('an ID of several lines cannot forge an event', async (t) => {
  const example = await startExample(t, { resume })
  example.onStream = (stream, write) => {
    write({ author: { fullName: 'x\ndata: forged' } })
    stream.end()
  }
  equal((await read(example, watch, events)).text.split('\n')[0], 'id: ')
})

test('a field for resuming that is not there, or no string, is refused when it is compiled', () => {
  const method = exampleRegistry().getService('example.v1.Library')!.method['watchBook']!
  throws(() => compileResume(method, { id: 'author.nobody', last: 'book_id' }), /has no field author\.nobody/)
  throws(() => compileResume(method, { id: 'page_count', last: 'book_id' }), /is not a string/)
})
