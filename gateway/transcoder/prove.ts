/** `npm run prove -- fuzz|differential`: proofs of the transcoder that take minutes. */
import { runDifferential } from './differential/run.ts'
import { fuzz } from './fuzz/fuzz.ts'
import { exampleDescriptors } from './testing/example.ts'

const usage = `Usage: npm run prove -- fuzz [INPUTS] [SEED]            spoiled requests and answers (1000000)
       npm run prove -- differential [REQUESTS] [SEED]  random rules and requests beside grpc-gateway, which needs Go (20000)
`
const slowMs = 50

const [name, count, seed = String(Math.floor(Math.random() * 2 ** 32))] = process.argv.slice(2)
if (name === 'fuzz') proveFuzz(Number(count ?? 1_000_000), Number(seed))
else if (name === 'differential') await runDifferential(Number(count ?? 20_000), Number(seed))
else {
  process.stderr.write(usage)
  process.exitCode = 2
}

function proveFuzz(inputCount: number, withSeed: number): void {
  const { inputs, accepted, slowestMs, slowest } = fuzz(exampleDescriptors(), inputCount, withSeed)
  process.stdout.write(
    `${inputs} inputs (seed ${withSeed}), of which ${accepted} were taken; the slowest took ${slowestMs.toFixed(1)} ms: ${slowest}\n`,
  )
  if (slowestMs >= slowMs) process.exitCode = 1
}
