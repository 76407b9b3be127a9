/** CPU profiles of a running process, through its inspector: one for each piece of work. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { topFunctions, type CpuProfile } from './profile.ts'

export interface CpuProfiler {
  start(): Promise<void>
  /** Writes `<name>.cpuprofile` and prints the functions that took the most time themselves. */
  stop(name: string): Promise<void>
  close(): void
}

/** Attaches to the inspector on this port of 127.0.0.1. */
export async function attachProfiler(port: number, folder: string, say: (text: string) => void): Promise<CpuProfiler> {
  const response = await fetch(`http://127.0.0.1:${port}/json/list`)
  const [target] = (await response.json()) as { webSocketDebuggerUrl: string }[]
  const call = await open(target!.webSocketDebuggerUrl)
  await call.send('Profiler.enable')
  await call.send('Profiler.setSamplingInterval', { interval: 500 })
  mkdirSync(folder, { recursive: true })
  return {
    start: async () => void (await call.send('Profiler.start')),
    async stop(name) {
      const { profile } = (await call.send('Profiler.stop')) as { profile: CpuProfile }
      writeFileSync(join(folder, `${name}.cpuprofile`), JSON.stringify(profile))
      say(`${name}: where the tasks service's time went\n${topFunctions(profile, 15)}`)
    },
    close: call.close,
  }
}

async function open(url: string) {
  const socket = new WebSocket(url)
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve, { once: true })
    socket.addEventListener('error', reject, { once: true })
  })
  const waiting = new Map<number, (result: unknown) => void>()
  socket.addEventListener('message', ({ data }) => {
    const { id, result } = JSON.parse(String(data))
    waiting.get(id)?.(result)
    waiting.delete(id)
  })
  let next = 1
  return {
    send: (method: string, params = {}): Promise<unknown> =>
      new Promise((resolve) => {
        const id = next++
        waiting.set(id, resolve)
        socket.send(JSON.stringify({ id, method, params }))
      }),
    close: () => socket.close(),
  }
}
