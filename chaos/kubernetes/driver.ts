/** Runs an experiment on a release that is installed in the cluster of the current kube context, with kubectl alone. */
import { join } from 'node:path'
import { Installation as Release } from '@flowforge/deploy/cluster/installation'
import { run } from '@flowforge/deploy/cluster/command'
import { judge } from '../judge.ts'
import { Watch } from '../observe/watch.ts'
import type { Driver, Stage, StageOptions } from '../stage.ts'
import { forMs } from '../local/scene.ts'
import type { Fault } from '../fault.ts'
import { commandsOf } from './commands.ts'
import { Forward } from './forward.ts'
import { nameOf, type Installation } from './installation.ts'
import { PodLoad } from './pod-load.ts'
import { PodWatch } from './pod-watch.ts'
import { placeLoad, placeWorkers, removePlaced } from './placing.ts'

const doable: Fault['kind'][] = ['kill', 'roll', 'terminateConnections']

export function kubernetesDriver(installation: Installation): Driver {
  return {
    name: 'kubernetes',
    // A pod is scheduled, mounted and probed before it is ready; a process only starts.
    slowerMs: 45_000,
    whyNot: ({ fault }) =>
      doable.includes(fault.kind)
        ? undefined
        : `kubectl alone cannot do this; \`render\` prints what Chaos Mesh or Gateway API can, if anything`,
    open: (options) => open(installation, options),
  }
}

async function open(installation: Installation, options: StageOptions): Promise<Stage> {
  const { experiment, traffic, folder, elapsedMs, note } = options
  const { namespace } = installation
  const release = new Release(namespace, [])
  const forwards: Forward[] = []
  const forward = async (pod: string, port: number) => {
    const one = await Forward.to(namespace, pod, port)
    forwards.push(one)
    return one
  }
  const leave = async () => {
    for (const one of forwards) one.close()
    await removePlaced(installation, release)
  }
  try {
    await placeWorkers(installation, release, traffic)
    const loadPod = await placeLoad(installation, release, traffic)
    const database = await forward(`${nameOf('postgres', installation)}-0`, 5_432)
    const password = await release.secret('database-owner', 'password')
    const databaseUrl = `postgres://postgres:${password}@127.0.0.1:${database.port}/flowforge`
    const histories = join(folder, 'histories')
    const load = new PodLoad(await forward(loadPod, 9_400), join(histories, 'producer.ndjson'), elapsedMs)
    await load.reached()
    const tasks = new Watch({ databaseUrl, adminPorts: new Map(), elapsedMs })
    const pods = new PodWatch(release, elapsedMs)
    const watch = {
      unready: pods.unready,
      exceeded: tasks.exceeded,
      get looks() {
        return tasks.looks
      },
      get backlog() {
        return tasks.backlog
      },
      stop: async () => void (await Promise.all([tasks.stop(), pods.stop()])),
    }
    return {
      load,
      watch,
      measured: {},
      inject: (signal) => inject(experiment.fault, installation, signal, note),
      isDrained: async () => tasks.backlog === 0,
      judge: () => judge(databaseUrl, histories, { hasWorkers: false }),
      async end() {
        await load.stop(0)
        await watch.stop()
        await leave()
      },
    }
  } catch (error) {
    await leave()
    throw error
  }
}

/** Types the commands that `render` prints. */
async function inject(
  fault: Fault,
  installation: Installation,
  signal: AbortSignal,
  note: (line: string) => void,
): Promise<void> {
  const { inject: commands, heal } = commandsOf(fault, installation)!
  const [times, pauseMs] = repetition(fault)
  for (let time = 0; time < times && !signal.aborted; time++) {
    if (time > 0) await forMs(pauseMs, signal)
    for (const command of commands) note((await run('sh', ['-c', command])).trim().split('\n').at(-1)!)
  }
  for (const command of heal) await run('sh', ['-c', command])
}

function repetition(fault: Fault): [times: number, pauseMs: number] {
  if (fault.kind === 'kill') return [fault.times, fault.everyMs]
  if (fault.kind === 'roll') return [fault.rounds, 0]
  if (fault.kind === 'terminateConnections') return [(fault.perSecond * fault.forMs) / 1_000, 1_000 / fault.perSecond]
  return [1, 0]
}
