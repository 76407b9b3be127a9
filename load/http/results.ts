import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '@flowforge/local/config'
import type { Results } from '../engine/results.ts'
import type { Measured } from './measure.ts'

/** load/results/http.json: the last measurement of each scenario. */
export interface HttpResults {
  machine: Results['machine']
  runs: (Measured & { time: string; commit: string })[]
}

const file = join(root, 'load/results/http.json')

export function readHttpResults(): HttpResults | undefined {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as HttpResults) : undefined
}

/** Keeps what was measured beside the scenarios that were not measured this time. */
export function writeHttpResults(machine: Results['machine'], measured: HttpResults['runs']): HttpResults {
  const names = measured.map(({ name }) => name)
  const kept = (readHttpResults()?.runs ?? []).filter(({ name }) => !names.includes(name))
  const results = { machine, runs: [...kept, ...measured] }
  mkdirSync(join(root, 'load/results'), { recursive: true })
  writeFileSync(file, `${JSON.stringify(results)}\n`)
  return results
}
