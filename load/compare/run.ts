/** `npm run load -- compare`: an earlier commit and this one in turn, and how many times better or worse this one is. */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startSystem } from '@flowforge/local/system'
import { measure, type Measured } from '../http/measure.ts'
import { scenarios, type Scenario } from '../http/scenarios.ts'
import { OlderBuild } from '../older-build.ts'
import { advantage } from '../report/statistics.ts'
import { numberOf, suiteOptions } from '../suite-options.ts'

const usage = `Usage: npm run load -- compare --base COMMIT [options]

  --base COMMIT      what this working tree is compared with, as git names it
  --scenario NAME    of those of the suite http (users-500)
  --rounds N         turns of each build, one after the other (3)
  --seconds N        of each turn (10)
  --help             this text

Exits with 1 when the processor time of a request rose by more than a fifth in the median of the rounds. Only ratios within a
round count: whatever else the machine does hits both.
`
/** Smaller differences mean nothing on a machine that does other things as well. */
const worseMax = 1.2

export async function runCompare(args: string[]): Promise<void> {
  const { base, scenario, rounds } = readOptions(args)
  const folder = mkdtempSync(join(tmpdir(), 'flowforge-compare-'))
  chmodSync(folder, 0o711)
  const older = await OlderBuild.of(base, folder)
  const turns: { old: Measured; new: Measured }[] = []
  try {
    for (let round = 0; round < rounds; round++) {
      const before = await takeTurn(scenario, join(folder, `old-${round}`), older)
      const after = await takeTurn(scenario, join(folder, `new-${round}`))
      turns.push({ old: before, new: after })
      process.stdout.write(`round ${round + 1}: ${older.commit} ${words(before)}; this ${words(after)}\n`)
    }
  } finally {
    older.remove()
    rmSync(folder, { recursive: true, force: true })
  }
  const better = (figure: (measured: Measured) => number) =>
    advantage(
      turns.map((turn) => figure(turn.new)),
      turns.map((turn) => figure(turn.old)),
      'lower',
    )
  const [cpu, p50, p95] = [
    better(cpuUs),
    better(({ latencies }) => latencies.p50),
    better(({ latencies }) => latencies.p95),
  ]
  for (const [name, ratio] of Object.entries({ 'CPU a request': cpu, p50, p95 }))
    if (ratio)
      process.stdout.write(
        `${name}: ${ratio.median.toFixed(2)} times better (${ratio.min.toFixed(2)} – ${ratio.max.toFixed(2)})\n`,
      )
  if (cpu && cpu.median < 1 / worseMax) process.exitCode = 1
}

async function takeTurn(scenario: Scenario, folder: string, older?: OlderBuild): Promise<Measured> {
  const system = await startSystem({
    dataDir: folder,
    port: 0,
    env: { FLOWFORGE_LOG_LEVEL: 'warn', FLOWFORGE_WORKER_CONCURRENCY: String(scenario.capacity) },
    adapt: async (planned) => (older ? { ...planned, entry: older.entryOf(planned) } : planned),
  })
  try {
    return await measure(system, scenario, { signal: new AbortController().signal })
  } finally {
    await system.stop()
  }
}

function cpuUs({ usage: used, perSecond }: Measured): number {
  return (used.reduce((sum, { cores }) => sum + cores, 0) / perSecond) * 1e6
}

function words(measured: Measured): string {
  return `${Math.round(cpuUs(measured))} µs a request, p50 ${measured.latencies.p50} p95 ${measured.latencies.p95} ms`
}

function readOptions(args: string[]) {
  return suiteOptions(
    usage,
    args,
    {
      base: { type: 'string' },
      scenario: { type: 'string', default: 'users-500' },
      rounds: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '10' },
    },
    (values) => {
      if (!values.base) throw new Error('--base is missing')
      const found = scenarios.find(({ name }) => name === values.scenario)
      if (!found) throw new Error(`--scenario: there is no ${values.scenario}`)
      const rounds = numberOf('rounds', values.rounds, 1, 50)
      const seconds = numberOf('seconds', values.seconds, 1, 600)
      return { base: values.base, scenario: { ...found, seconds }, rounds }
    },
  )
}
