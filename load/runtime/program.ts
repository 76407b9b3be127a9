/** One variant as a process: makes as many calls as it is told to, and tells what they cost. */
import { variants, type Call } from './variants.ts'

/** Calls in flight. */
const concurrency = 16

const [variant, folder] = process.argv.slice(2)
const call = await variants[variant as keyof typeof variants](folder!)
await callMany(call, 5_000)
process.send!('ready')

process.on('message', async (calls: number) => {
  const before = process.cpuUsage()
  const startedMs = performance.now()
  await callMany(call, calls)
  const { user, system } = process.cpuUsage(before)
  process.send!({ cpuUs: (user + system) / calls, callsPerSecond: (calls / (performance.now() - startedMs)) * 1_000 })
})
process.on('disconnect', () => process.exit(0))

async function callMany(make: Call, calls: number): Promise<void> {
  let left = calls
  const lane = async (): Promise<void> => {
    while (left-- > 0) await make()
  }
  await Promise.all(Array.from({ length: concurrency }, lane))
}
