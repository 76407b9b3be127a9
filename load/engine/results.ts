/** The data of a run: what load/results/engine.json holds. */
import type { Results as CommonResults } from '../report/results.ts'
import type { MeasureName } from './measures.ts'

export interface Results extends CommonResults<MeasureName> {
  scale: string
  postgresSettings: Record<string, string>
}
