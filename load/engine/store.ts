/** Where a contender keeps its tasks, fresh for each turn. */
export interface Store {
  /** For the contender's programmes. */
  readonly url: string
  /** The server processes, whose CPU time is the contender's. */
  readonly pids: number[]
  /** How many tasks are stored and not finished. */
  unfinished(): Promise<number>
  /** How much was written ahead (WAL or AOF), and in how many transactions, since whenever. */
  written(): Promise<{ bytes: number; transactions?: number }>
  /** Counts the statements that arrive while `work` runs. */
  statementsDuring(work: () => Promise<void>): Promise<number>
  /** Gives the planner statistics, as autovacuum does within a minute; a turn is too short to wait for it. */
  analyze(): Promise<void>
  remove(): Promise<void>
}
