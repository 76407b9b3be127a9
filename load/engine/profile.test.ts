import { match } from 'node:assert/strict'
import { test } from 'node:test'
import { topFunctions } from './profile.ts'

test('a profile is told as shares of the busy time, by function and by package', () => {
  const frame = (id: number, functionName: string, url: string) => ({
    id,
    callFrame: { functionName, url, lineNumber: 9 },
  })
  const text = topFunctions(
    {
      nodes: [
        frame(1, '(idle)', ''),
        frame(2, 'parse', 'file:///x/node_modules/pg-protocol/dist/parser.js'),
        frame(3, 'send', 'file:///x/services/tasks/a.ts'),
      ],
      samples: [1, 2, 2, 3],
      timeDeltas: [1_000, 2_000, 4_000, 2_000],
    },
    5,
  )
  match(text, /busy 8 ms of 9 ms/)
  match(text, /75\.0 % {2}parse {2}pg-protocol\/dist\/parser\.js:10/)
  match(text, /25\.0 % {2}services\/tasks/)
})
