import { deepEqual, equal, throws } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { MalformedPath, MatchTable } from './match-table.ts'
import { parseTemplate } from './template.ts'

/** A table in which each template is registered under its own text. */
function tableOf(...templates: string[]): MatchTable<string> {
  const table = new MatchTable<string>()
  for (const template of templates) table.add('GET', parseTemplate(template), template)
  return table
}

for (const [template, path, variables] of [
  ['/v1/books', '/v1/books', []],
  ['/v1/{name}', '/v1/a', ['a']],
  ['/v1/{name=*}', '/v1/a%2Fb', ['a/b']],
  ['/v1/{name=shelves/*/books/*}', '/v1/shelves/1/books/2', ['shelves/1/books/2']],
  ['/v1/{name=shelves/*}', '/v1/shelves/a%2Fb%20c', ['shelves/a%2Fb c']],
  ['/v1/{name=shelves/*}/books/{book.id}', '/v1/shelves/1/books/2', ['shelves/1', '2']],
  ['/v1/{name=**}', '/v1/a/b/c', ['a/b/c']],
  ['/v1/{name=**}', '/v1/a%2fb/c%2Dd', ['a%2fb/c-d']],
  ['/v1/files/{name=docs/**}', '/v1/files/docs/a/b', ['docs/a/b']],
  ['/v1/files/{name=docs/**}', '/v1/files/docs', ['docs']],
  ['/v1/*/books/{id}', '/v1/x/books/7', ['7']],
  ['/v1/{name=tasks/*}:cancel', '/v1/tasks/1:cancel', ['tasks/1']],
  ['/v1/{name=**}:raw', '/v1/a/b:raw', ['a/b']],
  ['/v1/tasks:batch', '/v1/tasks:batch', []],
  ['/v1/{name=tasks/*}', '/v1/tasks/1:unknown', ['tasks/1:unknown']],
  ['/v1/{name=tasks/*}', '/v1/tasks/1%3Acancel', ['tasks/1:cancel']],
  ['/v1/books', '/v1/%62ooks', []],
  ['/v1/{a}/{b}', '/v1/%E2%82%AC/%25', ['€', '%']],
] as const) {
  test(`${template} matches ${path} and binds ${JSON.stringify(variables)}`, () => {
    deepEqual(tableOf(template).find('GET', path), { kind: 'match', match: { value: template, variables } })
  })
}

for (const [template, path] of [
  ['/v1/books', '/v1/books/'],
  ['/v1/books', '/v1/Books'],
  ['/v1/{name}', '/v1/'],
  ['/v1/{name}', '/v1/a/b'],
  ['/v1/{name=shelves/*}', '/v1/shelves'],
  ['/v1/{name=tasks/*}:cancel', '/v1/tasks/1'],
  ['/v1/{name=tasks/*}:cancel', '/v1/tasks/1:retry'],
  ['/v1/{name=tasks/*}:cancel', '/v1/tasks/1%3Acancel'],
  ['/v1/books', 'v1/books'],
] as const) {
  test(`${template} does not match ${path}`, () => {
    deepEqual(tableOf(template).find('GET', path), { kind: 'none', allowed: [] })
  })
}

test('a literal wins over a variable, one segment over all the rest, and a dead end is taken back', () => {
  const table = tableOf('/v1/{name}', '/v1/books', '/v1/**', '/v1/books/{id}/pages', '/v1/{kind}/new/pages')
  const value = (path: string) => {
    const lookup = table.find('GET', path)
    return lookup.kind === 'match' ? lookup.match.value : undefined
  }
  equal(value('/v1/books'), '/v1/books')
  equal(value('/v1/shelves'), '/v1/{name}')
  equal(value('/v1/a/b/c/d'), '/v1/**')
  equal(value('/v1/books/new/pages'), '/v1/books/{id}/pages')
  equal(value('/v1/shelves/new/pages'), '/v1/{kind}/new/pages')
})

test('a known path with another method tells the methods that it has', () => {
  const table = tableOf('/v1/{name=tasks/*}')
  table.add('DELETE', parseTemplate('/v1/{name=tasks/*}'), 'delete')
  table.add('POST', parseTemplate('/v1/{name=tasks/*}:cancel'), 'cancel')
  deepEqual(table.find('PUT', '/v1/tasks/1'), { kind: 'none', allowed: ['DELETE', 'GET'] })
  deepEqual(table.find('GET', '/v1/tasks/1:cancel'), { kind: 'none', allowed: ['POST'] })
})

test('two templates for the same paths are refused when the table is built', () => {
  const table = tableOf('/v1/{name=tasks/*}')
  throws(() => table.add('GET', parseTemplate('/v1/tasks/{id}'), 'other'), /matches the same paths/)
})

test('a path that is not percent-encoded UTF-8 is malformed', () => {
  throws(() => tableOf('/v1/{name}').find('GET', '/v1/%ff'), MalformedPath)
  throws(() => tableOf('/v1/{name}').find('GET', '/v1/%2'), MalformedPath)
})

for (const template of [
  'v1',
  '/',
  '/v1//a',
  '/v1/{',
  '/v1/{a',
  '/v1/{a=}',
  '/v1/{a={b}}',
  '/v1/**/x',
  '/v1/{a=**}/x',
  '/v1/{a}/{a}',
  '/v1/a:',
  '/v1/{1a}',
  '/v1/a b',
  '/v1/*x',
]) {
  test(`the template ${template} breaks the grammar`, () => {
    throws(() => parseTemplate(template), SyntaxError)
  })
}

test('what a client encodes into a variable is what the variable binds', () => {
  const table = tableOf('/v1/{id}/x')
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (id) => {
      const lookup = table.find('GET', `/v1/${encodeURIComponent(id)}/x`)
      deepEqual(lookup.kind === 'match' && lookup.match.variables, [id])
    }),
  )
})
