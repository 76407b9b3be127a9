import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '@flowforge/local/config'
import type { HttpResults } from '../http/results.ts'
import type { ScalingPoint } from './measure.ts'

/** load/results/scaling.json. */
export interface ScalingResults {
  time: string
  commit: string
  machine: HttpResults['machine']
  shareOfCore: number | undefined
  points: ScalingPoint[]
  /** The same on a cluster, when it was measured there. */
  kubernetes?: { time: string; commit: string; cluster: string; shareOfCore: number; points: ScalingPoint[] }
}

const file = join(root, 'load/results/scaling.json')

/** Those of the last run, if there was one. */
export function readScalingResults(): ScalingResults | undefined {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as ScalingResults) : undefined
}

/** Keeps them, and gives them back. */
export function writeScalingResults(results: ScalingResults): ScalingResults {
  writeFileSync(file, `${JSON.stringify(results)}\n`)
  return results
}
