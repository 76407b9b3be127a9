/** How much and how long each scenario runs; every count and time is bounded. */
export interface Scale {
  /** Each contender warms up for so long by single calls, and as long in bulk. */
  warmMs: number
  latencyMs: number
  steadyMs: number
  enqueueMs: number
  /** At most so many single creates in one scenario. */
  singlesMax: number
  bulkTasks: number
  drainMsMax: number
  keyedTasks: number
  /** How often each kind of keys has its turn. */
  keyedPasses: number
  idleMs: number
  /** Of each fairness key, while shares are counted. */
  sharedTasks: number
  /** Of one tenant, while another one's tasks are timed. */
  waitingTasks: number
  limitedTasks: number
  finishedTasks: number
  droppedTasks: number
  snapshotMs: number
  severedTasks: number
}

export const scales: Record<string, Scale> = {
  /** Tries the harness; its numbers mean nothing. */
  tiny: {
    warmMs: 100,
    latencyMs: 500,
    steadyMs: 300,
    enqueueMs: 300,
    singlesMax: 300,
    bulkTasks: 2_000,
    drainMsMax: 5_000,
    keyedTasks: 2_000,
    keyedPasses: 1,
    idleMs: 1_000,
    sharedTasks: 350,
    waitingTasks: 500,
    limitedTasks: 1_000,
    finishedTasks: 1_000,
    droppedTasks: 1_000,
    snapshotMs: 1_000,
    severedTasks: 3,
  },
  small: {
    warmMs: 5_000,
    latencyMs: 3_000,
    steadyMs: 2_000,
    enqueueMs: 3_000,
    singlesMax: 100_000,
    bulkTasks: 50_000,
    drainMsMax: 8_000,
    keyedTasks: 10_000,
    keyedPasses: 3,
    idleMs: 20_000,
    sharedTasks: 2_000,
    waitingTasks: 10_000,
    limitedTasks: 20_000,
    finishedTasks: 200_000,
    droppedTasks: 100_000,
    snapshotMs: 8_000,
    severedTasks: 60,
  },
  full: {
    warmMs: 5_000,
    latencyMs: 10_000,
    steadyMs: 8_000,
    enqueueMs: 5_000,
    singlesMax: 500_000,
    bulkTasks: 100_000,
    drainMsMax: 30_000,
    keyedTasks: 50_000,
    keyedPasses: 3,
    idleMs: 10_000,
    sharedTasks: 10_000,
    waitingTasks: 100_000,
    limitedTasks: 1_000_000,
    finishedTasks: 10_000_000,
    droppedTasks: 1_000_000,
    snapshotMs: 600_000,
    severedTasks: 100,
  },
}
