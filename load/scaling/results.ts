import type { HttpResults } from '../http/results.ts'
import type { ScalingPoint } from './measure.ts'

/** load/results/scaling.json. */
export interface ScalingResults {
  time: string
  commit: string
  machine: HttpResults['machine']
  shareOfCore: number | undefined
  points: ScalingPoint[]
}
