import { deepEqual, ok } from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { TaskState } from '@flowforge/proto/opaque/flowforge/tasks/v1/task.ts'
import { arrows } from './states.ts'

const states = Object.keys(TaskState)
  .map((name) => name.replace('TASK_STATE_', ''))
  .filter((name) => name !== 'UNSPECIFIED' && name !== 'UNRECOGNIZED')

test('every state can be reached, and left again unless the task has succeeded', () => {
  deepEqual(
    states.filter((state) => !arrows.some((arrow) => arrow.to === state)),
    [],
  )
  deepEqual(
    states.filter((state) => !arrows.some((arrow) => arrow.from === state)),
    ['SUCCEEDED'],
  )
})

test('nothing finishes twice: a finished state leads to READY alone', () => {
  ok(arrows.filter(({ from }) => from === 'CANCELLED' || from === 'DEAD').every(({ to }) => to === 'READY'))
})

test('the page about the life of a task names every arrow', () => {
  const page = readFileSync(join(import.meta.dirname, '../../../docs/lifecycle.md'), 'utf8')
  const rows = page.split('\n').filter((line) => line.startsWith('| ') && line.includes('→'))
  const names =
    ({ from, to }: (typeof arrows)[number]) =>
    (row: string) => {
      const [sources, targets] = row.split('|')[1]!.split('→') as [string, string]
      return targets.includes(to) && (from === 'new' ? sources.trim() === '' : sources.includes(from))
    }
  deepEqual(
    arrows.filter((arrow) => !rows.some(names(arrow))),
    [],
  )
})
