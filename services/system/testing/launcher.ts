import { spawn, type ChildProcess } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { send } from '@flowforge/local/processes'
import { Client } from '@flowforge/sdk/client'

const start = fileURLToPath(new URL('../../local/start.ts', import.meta.url))

/** `npm start` as a process of its own, which can be killed like all the others. */
export interface Launcher {
  url: string
  client: Client
  /** How long the start took. */
  readyMs: number
  commands: { curl: string; grpcurl: string }
  /** What it printed beside its screen, line by line. */
  messages: string[]
  /** Numbers of the processes that it has started, by name, restarts included. */
  pids(): Record<string, number>
  /** Kills the launcher and everything that it started, all at the same moment. */
  killAll(): Promise<void>
  /** Interrupts it as Ctrl-C does; settles with its exit code. */
  interrupt(): Promise<number | null>
}

/** Runs the launcher in a data folder and settles when it says that everything is ready. */
export async function launch(dataDir: string, env: Record<string, string> = {}): Promise<Launcher> {
  const startedAt = performance.now()
  const child = spawn(process.execPath, [start, '--json', '--port', '0', '--data', dataDir], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const messages: string[] = []
  createInterface({ input: child.stderr }).on('line', (line) => messages.push(line))
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
  const { url, apiKeyFile, commands } = JSON.parse(await firstLine(child, messages))
  const pids = () => recordedPids(join(dataDir, 'run'))
  return {
    url,
    client: new Client({ url, apiKey: readFileSync(apiKeyFile, 'utf8').trim() }),
    readyMs: performance.now() - startedAt,
    commands,
    messages,
    pids,
    async killAll() {
      for (const pid of [child.pid!, ...Object.values(pids())]) send(pid, 'SIGKILL')
      await ended
    },
    async interrupt() {
      child.kill('SIGINT')
      return ended
    },
  }
}

async function firstLine(child: ChildProcess, messages: string[]): Promise<string> {
  for await (const line of createInterface({ input: child.stdout! })) return line
  throw new Error(`the launcher ended before it was ready:\n${messages.join('\n')}`)
}

function recordedPids(run: string): Record<string, number> {
  const files = readdirSync(run).filter((file) => file.endsWith('.process.json'))
  return Object.fromEntries(
    files.map((file) => [
      file.slice(0, -'.process.json'.length),
      JSON.parse(readFileSync(join(run, file), 'utf8')).pid as number,
    ]),
  )
}
