/** Order statistics of a few numbers. */
export interface Spread {
  min: number
  median: number
  max: number
}

export function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b)
  return { min: sorted[0]!, median: quantile(sorted, 0.5), max: sorted.at(-1)! }
}

/** The value below which the fraction `q` of sorted values lies, interpolated between neighbours. */
export function quantile(sorted: readonly number[], q: number): number {
  if (sorted.length === 0) throw new RangeError('no values have no quantile')
  const place = (sorted.length - 1) * q
  const below = sorted[Math.floor(place)]!
  return below + (sorted[Math.ceil(place)]! - below) * (place % 1)
}

type Rounds = readonly (number | undefined)[]

/** How many times better `ours` is than `theirs`, round by round, over the rounds that both have; above 1 is better for us. */
export function advantage(ours: Rounds, theirs: Rounds, better: 'higher' | 'lower'): Spread | undefined {
  const ratios: number[] = []
  for (const [round, our] of ours.entries()) {
    const their = theirs[round]
    if (our === undefined || their === undefined || our <= 0 || their <= 0) continue
    ratios.push(better === 'higher' ? our / their : their / our)
  }
  return ratios.length === 0 ? undefined : spread(ratios)
}
