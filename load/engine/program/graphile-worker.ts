/** graphile-worker: its defaults with ten jobs at a time, or the settings of its own performance test. */
import { Logger, makeWorkerUtils, run, type RunnerOptions } from 'graphile-worker'
import type { Adapter, Settings } from './adapter.ts'
import type { Payload } from './protocol.ts'

const identifier = 'load'
// It writes a line for each job otherwise, which is not what is compared here.
const logger = new Logger(() => (level, message) => {
  if (level === 'error') process.stderr.write(`${message}\n`)
})

export const adapter: Adapter = {
  async producer({ url }) {
    const utils = await makeWorkerUtils({ connectionString: url, logger })
    return {
      create: async (payload) => void (await utils.addJob(identifier, payload)),
      createMany: async (payloads) => void (await utils.addJobs(payloads.map((payload) => ({ identifier, payload })))),
      close: async () => utils.release(),
    }
  },
  async consumer(settings, handler) {
    const runner = await run({
      ...optionsOf(settings),
      taskList: { [identifier]: (payload) => handler(payload as Payload) },
    })
    return { stop: () => runner.stop() }
  },
}

function optionsOf({ url, concurrency, tuned }: Settings): RunnerOptions {
  const common = { connectionString: url, logger, noHandleSignals: true }
  if (!tuned) return { ...common, concurrency }
  return {
    ...common,
    preset: {
      worker: {
        concurrentJobs: concurrency,
        maxPoolSize: concurrency + 1,
        localQueue: { size: 500, refetchDelay: { durationMs: 10 } },
        completeJobBatchDelay: 0,
        failJobBatchDelay: 0,
      },
    },
  }
}
