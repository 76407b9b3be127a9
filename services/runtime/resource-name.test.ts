import { deepEqual, equal, throws } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatName, matchName, parseName } from './resource-name.ts'

const pattern = 'projects/{project}/tasks/{task}'
const segment = fc.stringMatching(/^[A-Za-z0-9~_.-]{1,128}$/)

test('a formatted name parses back into its parts', () => {
  fc.assert(
    fc.property(segment, segment, (project, task) => {
      deepEqual(parseName(pattern, formatName(pattern, { project, task }), 'name'), { project, task })
    }),
  )
})

test('whatever matches is a name that formats back into itself', () => {
  const pieces = fc.constantFrom('projects', 'tasks', '/', '', 'a', '-', '%2F', ' ', '{task}', 'ä', '\n')
  const almost = fc.array(pieces, { maxLength: 9 }).map((all) => all.join(''))
  fc.assert(
    fc.property(fc.oneof(fc.string(), almost), (name) => {
      const parts = matchName(pattern, name)
      if (parts) equal(formatName(pattern, parts), name)
    }),
  )
})

test('a name of another shape is refused on the field that it stands in', () => {
  const bad = [
    '',
    'projects/p',
    'projects//tasks/t',
    'projects/p/tasks/',
    'projects/p/tasks/t/',
    'projects/p/queues/q',
    'projects/p/tasks/a b',
  ]
  for (const name of [...bad, `projects/p/tasks/${'x'.repeat(129)}`]) {
    throws(() => parseName(pattern, name, 'task.name'), {
      reason: 'INVALID_ARGUMENT',
      message: 'task.name: must have the form projects/{project}/tasks/{task}',
    })
  }
})
