import type { Experiment, Traffic } from './experiment.ts'
import type { Judgement } from './judge.ts'
import type { Measured } from './local/scene.ts'
import type { Try } from './observe/series.ts'
import type { Moment } from './observe/watch.ts'

/** The load on a stage, and what became of each try. */
export interface StageLoad {
  tries: Try[]
  resent: number
  acknowledged: number
  start(): void
  /** Sends no more and waits until everything is acknowledged, at most `withinMs`; tells how many are not. */
  stop(withinMs: number): Promise<number>
}

/** A running system with everything that an experiment needs around it. A driver makes one, and the run is the same on all. */
export interface Stage {
  load: StageLoad
  watch: { unready: Moment[]; exceeded: string[]; looks: number; backlog: number; stop(): Promise<void> }
  /** Figures that only this fault has, once it is over. */
  measured: Measured
  /** Does the fault, and settles when it is over and everything that it changed is as it was. */
  inject(signal: AbortSignal): Promise<void>
  /** Whether every task has finished. */
  isDrained(): Promise<boolean>
  judge(): Promise<Judgement>
  /** Ends whatever was started, also after a failure. */
  end(): Promise<void>
}

/** What a driver is given to set a stage up. */
export interface StageOptions {
  experiment: Experiment
  traffic: Traffic
  /** For files of this run; removed afterwards. */
  folder: string
  signal: AbortSignal
  /** The clock of the run: milliseconds since its load began. */
  elapsedMs: () => number
  /** Writes a line to the run's record. */
  note: (line: string) => void
}

/** One way to run experiments. */
export interface Driver {
  name: 'local' | 'kubernetes'
  /** Why an experiment cannot be run; undefined if it can. */
  whyNot(experiment: Experiment): string | undefined
  /** How much longer than on one machine it may take to notice something and to recover from it. */
  slowerMs: number
  open(options: StageOptions): Promise<Stage>
}
