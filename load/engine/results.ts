/** The data of a run: what load/results/engine.json holds and every report is made from. */
import type { MeasureName } from './measures.ts'

export interface Sample {
  /** From 0. */
  round: number
  contender: string
  measure: MeasureName
  value: number
}

export interface Results {
  time: string
  commit: string
  scale: string
  rounds: number
  seconds: number
  machine: { cpu: string; cores: number; memoryGiB: number; system: string }
  versions: Record<string, string>
  postgresSettings: Record<string, string>
  contenders: { name: string; settings: string }[]
  skipped: { contender: string; why: string }[]
  failures: { round: number; contender: string; scenario: string; error: string }[]
  samples: Sample[]
}

/** A contender's values of a measure by round; holes where a round has none. */
export function valuesOf(
  { samples }: Pick<Results, 'samples'>,
  contender: string,
  measure: MeasureName,
): (number | undefined)[] {
  const values: (number | undefined)[] = []
  for (const sample of samples)
    if (sample.contender === contender && sample.measure === measure) values[sample.round] = sample.value
  return values
}
