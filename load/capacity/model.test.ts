import { deepEqual, equal, ok, throws } from 'node:assert/strict'
import { test } from 'node:test'
import { fitLine, fitModel, needOf, type Model } from './model.ts'
import { capacityReport } from './report.ts'
import type { CapacityPoint } from './results.ts'

test('a line is found again from points on it', () => {
  const { idle, perTask, fit } = fitLine([100, 200, 1_000].map((x) => ({ x, y: 0.05 + x * 0.0004 })))
  ok(Math.abs(idle - 0.05) < 1e-9 && Math.abs(perTask - 0.0004) < 1e-12 && fit > 0.999)
})

test('nobody needs less than nothing when idle', () => {
  const { idle, perTask } = fitLine([
    { x: 100, y: 0.01 },
    { x: 1_000, y: 0.5 },
  ])
  equal(idle, 0)
  ok(perTask > 0)
})

const line = { idle: 0.1, perTask: 0.0005, fit: 1, measuredTo: 20_000 }
const model: Model = { gateway: line, tasks: line, postgres: line, worker: line }

test('twice the rate needs about twice the instances, and at least two', () => {
  equal(needOf(model, 'tasks', 1).instances, 2)
  equal(needOf(model, 'tasks', 10_000).instances, Math.ceil(5.1 / 0.6))
  deepEqual(needOf(model, 'postgres', 10_000).instances, 1)
})

test('beyond the highest measured rate nothing gets cheaper', () => {
  const measured: Model = { ...model, tasks: { ...line, measuredTo: 1_000 } }
  ok(Math.abs(needOf(measured, 'tasks', 10_000).cores - 6) < 1e-9)
})

test('two rates are too few for a model', () => {
  throws(() => fitModel([pointAt(100), pointAt(200)]), /three rates/)
})

test('the workers of a point count together', () => {
  ok(Math.abs(fitModel([100, 200, 400].map(pointAt)).worker.perTask - 0.0002) < 1e-9)
})

test('the document has each size, and no hole', () => {
  const machine = { cpu: 'cpu', cores: 2, memoryGiB: 4, system: 'Linux' }
  const points = [100, 200, 400].map(pointAt)
  const text = capacityReport({ time: '2026-01-01T00:00:00Z', commit: 'abc', machine, points }, model)
  for (const size of ['small', 'medium', 'large', '10×']) equal(text.split(`| ${size} |`).length, 4)
  ok(!/NaN|undefined|Infinity/.test(text))
})

function pointAt(perSecond: number): CapacityPoint {
  const cores = perSecond * 0.0001
  const names = ['gateway', 'tasks', 'postgres', 'worker-1', 'worker-2']
  const usage = names.map((name) => ({ name, cores, memoryMiB: 100 }))
  return { perSecond, p95Ms: 10, errorShare: 0, usage, connectionsBusy: 2 }
}
