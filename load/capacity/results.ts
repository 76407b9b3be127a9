import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '@flowforge/local/config'
import type { Results } from '../engine/results.ts'
import type { Usage } from '../usage.ts'

/** What one rate took. */
export interface CapacityPoint {
  /** Tasks created and finished. */
  perSecond: number
  p95Ms: number
  errorShare: number
  usage: Usage[]
  /** Of PostgreSQL's connections of tasks, how many were at work at once, at most. */
  connectionsBusy: number
}

/** load/results/capacity.json. */
export interface CapacityResults {
  time: string
  commit: string
  machine: Results['machine']
  points: CapacityPoint[]
}

const file = join(root, 'load/results/capacity.json')

export function readCapacityResults(): CapacityResults | undefined {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as CapacityResults) : undefined
}

export function writeCapacityResults(results: CapacityResults): void {
  mkdirSync(join(root, 'load/results'), { recursive: true })
  writeFileSync(file, `${JSON.stringify(results)}\n`)
}
