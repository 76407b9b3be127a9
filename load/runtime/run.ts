/** `npm run load -- runtime`: what a call costs with everything that the runtime does around it. */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { renewCertificates } from '@flowforge/local/certificates'
import { inheritedEnvironment, root } from '@flowforge/local/config'
import { defaultScope, identityOf } from '@flowforge/runtime/identity'
import { commit, machine, packageVersion } from '../facts.ts'
import type { Results } from '../report/results.ts'
import { suiteOptions, wholeNumberOf } from '../suite-options.ts'
import { readme, summary } from './readme.ts'

const contenders = [
  { name: 'grpc-js', settings: 'grpc-js alone: no identity, no policy, no deadline' },
  { name: 'transport', settings: 'our transport alone' },
  { name: 'enforced', settings: 'identity, authorization, deadline, breaker, bulkhead, retries, metrics' },
  { name: 'observed', settings: 'the same with a log line for each call and 1 % of them traced' },
]
const usage = `Usage: npm run load -- runtime [--rounds N (15)] [--calls N (4000)] [--keep]

Makes the same unary call in ${contenders.length} ways, in turns, and compares what it costs. --keep writes no results.
`

/** Runs the comparison as the command line says. */
export async function runRuntime(args: string[]): Promise<void> {
  const { rounds, calls, keep } = readOptions(args)
  const startedMs = performance.now()
  const folder = mkdtempSync(join(tmpdir(), 'flowforge-load-'))
  const collector = createServer((request, response) => request.resume().on('end', () => response.end()))
  await once(collector.listen(0, '127.0.0.1'), 'listening')
  const tracing = {
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(collector.address() as AddressInfo).port}`,
    OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
    OTEL_TRACES_SAMPLER_ARG: '0.01',
  }
  const programs: ChildProcess[] = []
  const results: Results<'cpuUs' | 'callsPerSecond'> = {
    time: new Date().toISOString(),
    commit: await commit(),
    rounds,
    seconds: 0,
    machine: machine(),
    versions: { 'Node.js': process.versions.node, 'grpc-js': packageVersion('@grpc/grpc-js') },
    contenders,
    skipped: [],
    failures: [],
    samples: [],
  }
  try {
    await renewCertificates({ folder, identityOf: (component) => identityOf(component, defaultScope) })
    for (const { name } of contenders) {
      const program = fork(join(import.meta.dirname, 'program.ts'), [name, folder], {
        env: { ...inheritedEnvironment(), ...(name === 'observed' ? tracing : {}) },
        // Log lines are written, and nobody reads them.
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      })
      programs.push(program)
      await once(program, 'message')
    }
    for (let round = 0; round < rounds; round++) {
      // Each in turn goes first: whatever else the machine does meets all of them.
      for (let turn = 0; turn < contenders.length; turn++) {
        const index = (round + turn) % contenders.length
        programs[index]!.send(calls)
        const [told] = (await once(programs[index]!, 'message')) as [Record<'cpuUs' | 'callsPerSecond', number>]
        for (const measure of ['cpuUs', 'callsPerSecond'] as const)
          results.samples.push({ round, contender: contenders[index]!.name, measure, value: told[measure] })
      }
    }
  } finally {
    for (const program of programs) program.disconnect()
    collector.close()
    rmSync(folder, { recursive: true, force: true })
  }
  results.seconds = Math.round((performance.now() - startedMs) / 1_000)
  if (!keep) {
    mkdirSync(join(root, 'load/results'), { recursive: true })
    writeFileSync(join(root, 'load/results/runtime.json'), `${JSON.stringify(results, null, 2)}\n`)
    writeFileSync(join(import.meta.dirname, 'README.md'), readme(results))
  }
  process.stdout.write(summary(results))
}

function readOptions(args: string[]): { rounds: number; calls: number; keep: boolean } {
  return suiteOptions(
    usage,
    args,
    {
      rounds: { type: 'string', default: '15' },
      calls: { type: 'string', default: '4000' },
      keep: { type: 'boolean', default: false },
    },
    (values) => ({
      rounds: wholeNumberOf('rounds', values.rounds, 1, 200),
      calls: wholeNumberOf('calls', values.calls, 100, 1_000_000),
      keep: values.keep,
    }),
  )
}
