import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { lineChart, ticks } from './lines.ts'

test('ticks are round numbers within the axis', () => {
  deepEqual(ticks(0, 10, 5), [0, 2, 4, 6, 8, 10])
  deepEqual(ticks(3, 47, 4), [20, 40])
  deepEqual(ticks(0, 0.7, 3), [0, 0.5])
})

test('a chart has each line, the band and every panel, and is well-formed', () => {
  const line = (name: string) => ({ name, colour: '#123', points: [0, 1, 2].map((x) => ({ x, y: x * 10 })) })
  const svg = lineChart({
    title: 'a < b',
    subtitle: 's',
    xTitle: 'seconds',
    panels: [
      { title: 'one', lines: [line('first'), line('second')] },
      { title: 'two', lines: [line('third')] },
    ],
    band: { from: 0.5, until: 1, name: 'fault' },
  })
  equal(svg.match(/stroke-width="1.5"/g)?.length, 3)
  match(svg, /a &lt; b/)
  match(svg, /fault/)
  equal(svg.match(/<(svg|text)[ >]/g)?.length, svg.match(/<\/(svg|text)>/g)?.length)
})

test('a moment without a value interrupts the line', () => {
  const points = [
    { x: 0, y: 1 },
    { x: 1, y: undefined },
    { x: 2, y: 1 },
    { x: 3, y: 1 },
  ]
  const svg = lineChart({
    title: '',
    subtitle: '',
    xTitle: '',
    panels: [{ title: '', lines: [{ name: 'n', colour: '#000', points }] }],
  })
  const path = /d="(M[^"]*)" fill="none"/.exec(svg)?.[1] ?? ''
  equal(path.match(/M/g)?.length, 2)
  ok(path.includes('L'))
})
