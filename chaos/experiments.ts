/** Every experiment, in the order in which `run all` takes them. */
import type { Experiment } from './experiment.ts'
import { backlogSpike, poisonTask, slowClients, upgradeUnderLoad } from './experiments/callers.ts'
import { authorityRotated, certificateExpired, policyAudited, policyDenied } from './experiments/certificates.ts'
import { gatewayKill } from './experiments/gateway-kill.ts'
import { linkSlow } from './experiments/link-slow.ts'
import { clockAhead, clockBehind, cpuStarved, diskFull } from './experiments/machine.ts'
import { connectionsEnded, connectionsHeld, postgresRestart } from './experiments/postgres-connections.ts'
import { postgresKill } from './experiments/postgres-kill.ts'
import { postgresPartition } from './experiments/postgres-partition.ts'
import { redisGone } from './experiments/redis-gone.ts'
import { rollingRestart, rollingRestart50 } from './experiments/rolling-restart.ts'
import { tasksKill } from './experiments/tasks-kill.ts'
import { upstreamUnavailable } from './experiments/upstream-unavailable.ts'
import { workerKill } from './experiments/worker-kill.ts'
import { workerPartition } from './experiments/worker-partition.ts'
import { workerPause } from './experiments/worker-pause.ts'

export const experiments: Experiment[] = [
  workerKill,
  workerPause,
  workerPartition,
  tasksKill,
  gatewayKill,
  rollingRestart,
  rollingRestart50,
  postgresRestart,
  postgresKill,
  postgresPartition,
  connectionsEnded,
  connectionsHeld,
  diskFull,
  redisGone,
  linkSlow,
  upstreamUnavailable,
  cpuStarved,
  clockAhead,
  clockBehind,
  authorityRotated,
  certificateExpired,
  policyDenied,
  policyAudited,
  poisonTask,
  backlogSpike,
  slowClients,
  upgradeUnderLoad,
]
