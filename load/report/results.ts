/** The data of a run: what every report of a suite is made from. */
export interface Sample<Measure extends string = string> {
  /** From 0. */
  round: number
  contender: string
  measure: Measure
  value: number
}

export interface Results<Measure extends string = string> {
  time: string
  commit: string
  rounds: number
  seconds: number
  machine: { cpu: string; cores: number; memoryGiB: number; system: string }
  versions: Record<string, string>
  contenders: { name: string; settings: string }[]
  skipped: { contender: string; why: string }[]
  failures: { round: number; contender: string; scenario: string; error: string }[]
  samples: Sample<Measure>[]
}

/** What a figure is. */
export interface Measure {
  title: string
  unit: string
  better: 'higher' | 'lower'
}

/** A contender's values of a measure by round; holes where a round has none. */
export function valuesOf(
  { samples }: Pick<Results, 'samples'>,
  contender: string,
  measure: string,
): (number | undefined)[] {
  const values: (number | undefined)[] = []
  for (const sample of samples)
    if (sample.contender === contender && sample.measure === measure) values[sample.round] = sample.value
  return values
}
